import { expect, test } from 'vitest'
import { fileCollector, MAX_WAITING_CHARS } from '../../../core/trace/file-collector.ts'
import { TIMESTAMPS } from '../../../core/trace/level.ts'
import type { FinishedTrace, ModelTrace } from '../../../core/trace/types.ts'

function trace(id: number, requestId = ''): FinishedTrace {
  const model = { id, parentId: 0, model: 'm', version: 1, requestId, startNs: 2, queuedNs: 3 }
  const compute = { computeStartNs: 0, computeInputEndNs: 0, computeOutputStartNs: 0 }
  const rest = { computeEndNs: 0, responsesNs: [4], endNs: 5, error: '', tensors: [] }
  const models: ModelTrace[] = [{ ...model, ...compute, ...rest }]
  return { id, level: TIMESTAMPS, parent: null, marks: [], models, startNs: 1, endNs: 6 }
}

function collect(logFrequency: number, count: number) {
  const written: string[] = []
  let dropped = 0
  const ids = (objects: string): string =>
    (JSON.parse(`[${objects}]`) as { id: number; model_name?: string }[])
      .filter((one) => one.model_name !== undefined)
      .map(({ id }) => id)
      .join(' ')
  const file = {
    append: (objects: string) => written.push(`one: ${ids(objects)}`),
    index: (objects: readonly string[]) => written.push(`next: ${ids(objects.join(','))}`),
    dropped: (more: number) => {
      dropped += more
    },
  }
  const collector = fileCollector(file, { logFrequency, count })
  return { written, collector, dropped: () => dropped }
}

test('without a log frequency and a count, traces go to the one file as they come', () => {
  const { written, collector } = collect(0, -1)
  for (const id of [1, 2]) collector.collect(trace(id))
  collector.retire()
  expect(written).toEqual(['one: 1', 'one: 2'])
})

test('with a log frequency of n, every n traces make a file, and the rest makes the last', () => {
  const { written, collector } = collect(2, -1)
  for (const id of [1, 2, 3, 4, 5]) collector.collect(trace(id))
  expect(written).toEqual(['next: 1 2', 'next: 3 4'])
  collector.retire()
  expect(written).toEqual(['next: 1 2', 'next: 3 4', 'next: 5'])
})

test('traces of a certain count make one file when they are all there', () => {
  const { written, collector } = collect(0, 2)
  collector.collect(trace(1))
  expect(written).toEqual([])
  collector.collect(trace(2))
  expect(written).toEqual(['next: 1 2'])
})

test('traces of a count that was not reached go to the one file', () => {
  const { written, collector } = collect(0, 3)
  for (const id of [1, 2]) collector.collect(trace(id))
  collector.retire()
  expect(written).toEqual(['one: 1 2'])
})

test('traces that wait too long for their file push out the oldest, which are counted', () => {
  const { written, collector, dropped } = collect(100, -1)
  const large = 'x'.repeat(MAX_WAITING_CHARS / 4)
  for (let id = 1; id <= 5; id++) collector.collect(trace(id, large))
  expect(dropped()).toBe(2)
  collector.retire()
  expect(written).toEqual(['next: 3 4 5'])
})
