import { beforeEach, expect, test } from 'vitest'
import { OFF, TENSORS, TIMESTAMPS } from '../../../core/trace/level.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { keepTraces } from '../../helpers/traces.ts'

const START = { level: OFF, rate: 1000, count: -1, logFrequency: 0 }
let tracer: Tracer

beforeEach(() => {
  tracer = keepTraces(createFakeClock(), START).tracer
})

test('what is not set for a model is as it is for all, later changes included', () => {
  tracer.update('m', { rate: 7 })
  expect(tracer.settings('m')).toEqual({ ...START, rate: 7 })
  expect(tracer.settings('')).toEqual(START)
  tracer.update('', { level: TIMESTAMPS, rate: 9, logFrequency: 2 })
  expect(tracer.settings('m')).toEqual({ level: TIMESTAMPS, rate: 7, count: -1, logFrequency: 2 })
  expect(tracer.settings('other')).toEqual(tracer.settings(''))
})

test('what is cleared is as the enclosing level has it: of all for a model, of the start for all', () => {
  tracer.update('', { rate: 9, count: 5 })
  tracer.update('m', { rate: 7, count: 3 })
  tracer.update('m', { rate: null })
  expect(tracer.settings('m')).toMatchObject({ rate: 9, count: 3 })
  tracer.update('m', { count: null })
  expect(tracer.settings('m')).toMatchObject({ rate: 9, count: 5 })
  tracer.update('', { rate: null })
  expect(tracer.settings('m')).toMatchObject({ rate: 1000, count: 5 })
  tracer.update('', { count: null })
  expect(tracer.settings('')).toEqual(START)
})

test('a level without a file, a rate of 0 and a count of 0 are refused with the words of Triton, and change nothing', () => {
  const fileless = keepTraces(createFakeClock(), START, { file: '' }).tracer
  expect(() => fileless.update('', { level: TIMESTAMPS, rate: 5 })).toThrow(
    'Attempting to set invalid trace setting :trace file name is not given',
  )
  expect(fileless.settings('')).toEqual(START)
  expect(() => tracer.update('m', { level: TENSORS, rate: 0 })).toThrow(
    'Attempting to set invalid trace setting :sample rate must be non-zero',
  )
  expect(() => tracer.update('', { level: TENSORS, count: 0 })).toThrow(
    /^Attempting to set invalid trace setting :$/,
  )
  expect(tracer.settings('m')).toEqual(START)
  // While nothing is traced, anything goes.
  tracer.update('', { rate: 0, count: 0 })
  expect(tracer.settings('')).toMatchObject({ rate: 0, count: 0 })
})

test('a change for all that a model cannot follow changes nothing at all', () => {
  tracer.update('', { level: TIMESTAMPS })
  tracer.update('m', { level: TENSORS })
  expect(() => tracer.update('', { level: OFF, rate: 0 })).toThrow(/sample rate must be non-zero/)
  expect(tracer.settings('')).toMatchObject({ level: TIMESTAMPS, rate: 1000 })
  expect(tracer.settings('m')).toMatchObject({ level: TENSORS, rate: 1000 })
})

test('a server that is started with a level and no file traces nothing, and says what it was told', () => {
  const fileless = keepTraces(createFakeClock(), { rate: 1 }, { file: '' }).tracer
  expect(fileless.active).toBe(false)
  expect(fileless.sample('m', () => undefined)).toBeNull()
  expect(fileless.settings('').level).toBe(TIMESTAMPS | TENSORS)
})

test('the sampler is active while any model has a level and traces left', () => {
  expect(tracer.active).toBe(false)
  tracer.update('m', { level: TIMESTAMPS, rate: 1, count: 1 })
  expect(tracer.active).toBe(true)
  expect(tracer.sample('other', () => undefined)).toBeNull()
  expect(tracer.sample('m', () => undefined)).not.toBeNull()
  expect(tracer.active).toBe(false)
})
