import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import type { Backend } from '../../../core/backend/types.ts'
import type { Server } from '../../../core/server.ts'
import { floats, floatsOf } from '../../contract/backend.ts'
import { onnxGraph } from '../../helpers/onnx-graph.ts'
import { inferOn, serveOnnx } from './onnx-serve.ts'

const KINDS = {
  COUNT: 'BATCH_ELEMENT_COUNT',
  END: 'BATCH_ACCUMULATED_ELEMENT_COUNT',
  OFFSETS: 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO',
  LONGEST: 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE',
  ITEM: 'BATCH_ITEM_SHAPE',
  FLAT: 'BATCH_ITEM_SHAPE_FLATTEN',
} as const

const vector = (name: string, type: 'FLOAT' | 'INT32', dim: string) =>
  ({ name, type, shape: [dim] }) as const
const column = (name: string) => ({ name, type: 'FLOAT', shape: ['N', 1] }) as const

/** X is a batch of sequences laid end to end; the model tells them apart by what the batch says of itself. */
const MODEL = onnxGraph({
  inputs: [
    vector('X', 'FLOAT', 'T'),
    vector('COUNT', 'FLOAT', 'N'),
    vector('END', 'FLOAT', 'N'),
    vector('OFFSETS', 'INT32', 'M'),
    vector('LONGEST', 'FLOAT', 'L'),
    { name: 'ITEM', type: 'FLOAT', shape: ['N', 'R'] },
    vector('FLAT', 'FLOAT', 'N'),
  ],
  outputs: [
    vector('NEGATIVE', 'FLOAT', 'T'),
    ...['SUM', 'LENGTH', 'LAST', 'MOST', 'SHAPE', 'SHAPES'].map(column),
  ],
  constants: { zero: [0], first: [0n], second: [1n], last: [-1n], end: [2n ** 40n] },
  nodes: [
    { op: 'Neg', inputs: ['X'], output: 'NEGATIVE' },
    { op: 'Squeeze', inputs: ['first'], output: 'axis' },
    { op: 'CumSum', inputs: ['X', 'axis'], output: 'running' },
    { op: 'Concat', inputs: ['zero', 'running'], output: 'padded', attributes: { axis: 0 } },
    { op: 'Gather', inputs: ['padded', 'OFFSETS'], output: 'marks' },
    { op: 'Slice', inputs: ['marks', 'second', 'end'], output: 'ends' },
    { op: 'Slice', inputs: ['marks', 'first', 'last'], output: 'starts' },
    { op: 'Sub', inputs: ['ends', 'starts'], output: 'sums' },
    { op: 'Unsqueeze', inputs: ['sums', 'second'], output: 'SUM' },
    { op: 'Unsqueeze', inputs: ['COUNT', 'second'], output: 'LENGTH' },
    { op: 'Unsqueeze', inputs: ['END', 'second'], output: 'LAST' },
    { op: 'Shape', inputs: ['LONGEST'], output: 'size' },
    { op: 'Cast', inputs: ['size'], output: 'most', attributes: { to: 1 } },
    { op: 'Shape', inputs: ['COUNT'], output: 'rows' },
    { op: 'Expand', inputs: ['most', 'rows'], output: 'mosts' },
    { op: 'Unsqueeze', inputs: ['mosts', 'second'], output: 'MOST' },
    { op: 'Identity', inputs: ['ITEM'], output: 'SHAPE' },
    { op: 'Unsqueeze', inputs: ['FLAT', 'second'], output: 'SHAPES' },
  ],
})

const outputs = ['SUM', 'LENGTH', 'LAST', 'MOST', 'SHAPE', 'SHAPES']
  .map((name) => `{ name: "${name}" data_type: TYPE_FP32 dims: [ 1 ] }`)
  .join(', ')
const batchInputs = Object.entries(KINDS).map(
  ([name, kind]) =>
    `{ kind: ${kind} target_name: "${name}" source_input: "X" data_type: ${name === 'OFFSETS' ? 'TYPE_INT32' : 'TYPE_FP32'} }`,
)
const CONFIG = `backend: "onnxruntime" max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true } ]
output [ { name: "NEGATIVE" data_type: TYPE_FP32 dims: [ -1 ] }, ${outputs} ]
batch_input [ ${batchInputs.join(', ')} ]
batch_output [ { kind: BATCH_SCATTER_WITH_INPUT_SHAPE target_name: "NEGATIVE" source_input: "X" } ]
dynamic_batching { max_queue_delay_microseconds: 1000 }
instance_group [ { count: 1 kind: KIND_CPU } ]`

let backend: Backend
let server: Server

const serve = (name: string, config: string) =>
  serveOnnx(backend, { [name]: { config, file: MODEL } })

beforeAll(async () => {
  backend = onnxBackend({ clock: nodeClock() })
  server = await serve('ragged', CONFIG)
  await server.load('ragged', {})
})
afterAll(async () => {
  await server.close()
  await backend.close?.()
})

/** One sequence; resolves to every output's values, and the shape of its own part. */
async function infer(values: readonly number[]): Promise<Record<string, readonly number[]>> {
  const data = floats([...values])
  const outputs = await inferOn(server, 'ragged', [
    { name: 'X', datatype: 'FP32', shape: [1, values.length], data },
  ])
  const named = [...outputs].map(([name, output]) => [name, floatsOf(output)])
  return { ...Object.fromEntries(named), shape: outputs.get('NEGATIVE')?.shape ?? [] }
}

describe('requests of different lengths', () => {
  test('share a batch, each gets its own part, and every kind of batch input says what it should', async () => {
    const before = server.model('ragged', '').stats.executionCount
    const lengths = [3, 1, 5, 2, 4]
    const sent = lengths.map((length, i) => new Array<number>(length).fill(i + 1))
    const answers = await Promise.all(sent.map(infer))
    expect(server.model('ragged', '').stats.executionCount - before).toBe(1)
    let end = 0
    expect(answers).toEqual(
      sent.map((values) => {
        end += values.length
        return {
          NEGATIVE: values.map((value) => -value),
          shape: [1, values.length],
          SUM: [values.reduce((sum, value) => sum + value, 0)],
          LENGTH: [values.length],
          LAST: [end],
          MOST: [5],
          SHAPE: [values.length],
          SHAPES: [values.length],
        }
      }),
    )
  })

  test('get the same answers whoever they share a batch with', async () => {
    const sent = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 1 + ((i * 7) % 13) }, (_, j) => i + j),
    )
    const together = await Promise.all(sent.map(infer))
    for (const [i, values] of sent.entries()) {
      const { NEGATIVE, SUM, LENGTH, shape } = await infer(values)
      expect(together[i]).toMatchObject({ NEGATIVE, LENGTH, shape })
      // Sums are differences of running sums.
      expect(together[i]?.['SUM']?.[0]).toBeCloseTo(SUM?.[0] ?? Number.NaN, 3)
    }
  })
})

describe('a config of ragged batches that cannot be', () => {
  test.each([
    ['the source', /source_input: "X"/, 'source_input: "NO"', "unknown source input name 'NO'"],
    [
      'two sources',
      /source_input: "X"/,
      'source_input: [ "X", "X" ]',
      "batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got 2",
    ],
    [
      'the type',
      /(target_name: "COUNT".*?)TYPE_FP32/,
      '$1TYPE_INT64',
      'batch input data type must be TYPE_INT32 or TYPE_FP32',
    ],
    [
      'the target',
      /target_name: "NEGATIVE"/,
      'target_name: "NO"',
      "unknown target output name 'NO'",
    ],
    [
      'two targets',
      /target_name: "NEGATIVE"/,
      'target_name: [ "NEGATIVE", "NEGATIVE" ]',
      "target output name 'NEGATIVE' can only be specified once",
    ],
    [
      'a model whose input has rows',
      /name: "X"(.*?)allow_ragged_batch: true/,
      'name: "X"$1',
      'the model expects 1 dimensions',
    ],
  ])("%s: is not loaded, with Triton's text", async (_what, from, to, text) => {
    const other = await serve('wrong', CONFIG.replace(from, to))
    await expect(other.load('wrong', {})).rejects.toMatchObject({
      message: expect.stringContaining(text),
    })
    await other.close()
  })
})
