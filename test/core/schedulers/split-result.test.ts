import { describe, expect, test } from 'vitest'
import type { BatchResult } from '../../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../../core/bytes.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createOutputPlan } from '../../../core/schedulers/output-plan.ts'
import { splitResult, wholeResult } from '../../../core/schedulers/split-result.ts'
import { int32 } from './rig.ts'

function requestOf(rows: number, outputs: readonly string[] | null = null): InferRequest {
  const request = new InferRequest({ inputs: [], outputs }, { answer() {} })
  request.batchSize = rows
  return request
}

function split(config: ModelConfig, rows: readonly number[], result: BatchResult) {
  const requests = rows.map((count) => requestOf(count))
  const size = rows.reduce((sum, count) => sum + count, 0)
  return splitResult({ requests, size }, result, createOutputPlan(config))
}

const ONE: ModelConfig = { max_batch_size: 8, output: [{ name: 'OUT', dims: [-1] }] }
const texts = (data: Uint8Array): string[] =>
  unpackBytes(data).map((element) => new TextDecoder().decode(element))
const strings = (...values: string[]): Uint8Array =>
  packBytes(values.map((value) => new TextEncoder().encode(value)))

describe('several requests', () => {
  test('each gets views on its own rows of the joined output', () => {
    const out = int32('OUT', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    const parts = split(ONE, [1, 2, 1], { outputs: [out] })
    expect(parts.map((part) => part.outputs[0]?.shape)).toEqual([
      [1, 2],
      [2, 2],
      [1, 2],
    ])
    expect(parts.map((part) => part.outputs[0]?.data.length)).toEqual([8, 16, 8])
    expect(parts[1]?.outputs[0]?.data.buffer).toBe(out.data.buffer)
    expect(parts[1]?.outputs[0]?.data[0]).toBe(3)
  })

  test('strings are cut at the right element', () => {
    const data = strings('a', '', 'ccc', 'd', 'ee', 'f')
    const parts = split(ONE, [1, 2], {
      outputs: [{ name: 'OUT', datatype: 'BYTES', shape: [3, 2], data }],
    })
    expect(parts.map((part) => texts(part.outputs[0]!.data))).toEqual([
      ['a', ''],
      ['ccc', 'd', 'ee', 'f'],
    ])
  })

  test.each([
    ['a string that ends early', strings('a', 'b').slice(0, -1)],
    ['a missing string', strings('a')],
  ])('%s is INTERNAL', (_what, data) => {
    const outputs = [{ name: 'OUT', datatype: 'BYTES' as const, shape: [2, 1], data }]
    expect(() => split(ONE, [1, 1], { outputs })).toThrow(/fewer strings than its shape/)
  })

  test('memory is given back when the last response was released', () => {
    let released = 0
    const parts = split(ONE, [1, 1], {
      outputs: [int32('OUT', [2, 1], [1, 2])],
      release: () => {
        released++
      },
    })
    parts[0]?.release?.()
    expect(released).toBe(0)
    parts[1]?.release?.()
    expect(released).toBe(1)
  })

  test('a wrong number of rows, too few bytes and a missing output are INTERNAL', () => {
    expect(() => split(ONE, [1, 1], { outputs: [int32('OUT', [3, 1], [1, 2, 3])] })).toThrow(
      /shape \[3,1\], expected 2 rows/,
    )
    expect(() => split(ONE, [1, 1], { outputs: [int32('OUT', [2, 2], [1, 2, 3])] })).toThrow(
      /has 12 bytes, expected 16/,
    )
    expect(() => split(ONE, [1, 1], { outputs: [] })).toThrow(/no output 'OUT'/)
  })

  test('rows without elements stay rows', () => {
    const parts = split(ONE, [1, 2], { outputs: [int32('OUT', [3, 0], [])] })
    expect(parts.map((part) => part.outputs[0]?.shape)).toEqual([
      [1, 0],
      [2, 0],
    ])
  })

  test('an output with reshape has the shape of the config, free dimensions carried over', () => {
    const config: ModelConfig = {
      max_batch_size: 8,
      output: [{ name: 'OUT', dims: [-1, 1, 2], reshape: { shape: [2, -1] } }],
    }
    const out = int32('OUT', [2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    const parts = split(config, [1, 1], { outputs: [out] })
    expect(parts.map((part) => part.outputs[0]?.shape)).toEqual([
      [1, 3, 1, 2],
      [1, 3, 1, 2],
    ])
  })
})

describe('one request', () => {
  const two: ModelConfig = { max_batch_size: 8, output: [{ name: 'A' }, { name: 'B' }] }
  const plan = createOutputPlan(two)
  const a = int32('A', [1], [1])
  const b = int32('B', [1], [2])

  test('a result that is already right is passed on as it is', () => {
    const result = { outputs: [a, b] }
    expect(wholeResult(requestOf(1), 1, result, plan)).toBe(result)
    expect(wholeResult(requestOf(1, ['B', 'A']), 1, result, plan).outputs).toEqual([a, b])
  })

  test('outputs come in the order of the model and without those nobody asked for', () => {
    expect(wholeResult(requestOf(1), 1, { outputs: [b, a] }, plan).outputs).toEqual([a, b])
    expect(wholeResult(requestOf(1, ['B']), 1, { outputs: [a, b] }, plan).outputs).toEqual([b])
  })

  test('a model without a batch dimension keeps its shape, and is reshaped as a whole', () => {
    const scalar = createOutputPlan({ output: [{ name: 'A', dims: [1], reshape: { shape: [] } }] })
    const result = { outputs: [int32('A', [], [1])] }
    expect(wholeResult(requestOf(1), 1, result, scalar).outputs[0]?.shape).toEqual([1])
  })
})
