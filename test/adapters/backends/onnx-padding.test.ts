import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import type { Backend } from '../../../core/backend/types.ts'
import type { Server } from '../../../core/server.ts'
import { floats, floatsOf } from '../../contract/backend.ts'
import { onnxGraph } from '../../helpers/onnx-graph.ts'
import { inferOn, serveOnnx } from './onnx-serve.ts'

const SEED = 20_251_123
const RUNS = 25

const matrix = (name: string) => ({ name, type: 'FLOAT', shape: ['N', 'L'] }) as const

/** An encoder in small: a state for each step, their mean where the mask says so, and who attends to whom. */
const MODEL = onnxGraph({
  inputs: [matrix('X'), matrix('MASK')],
  outputs: [
    matrix('STATES'),
    { name: 'MEAN', type: 'FLOAT', shape: ['N', 1] },
    { name: 'PAIRS', type: 'FLOAT', shape: ['N', 'L', 'L2'] },
  ],
  constants: { one: [1n], two: [2n] },
  nodes: [
    { op: 'Neg', inputs: ['X'], output: 'STATES' },
    { op: 'Mul', inputs: ['X', 'MASK'], output: 'masked' },
    { op: 'ReduceSum', inputs: ['masked', 'one'], output: 'sum' },
    { op: 'ReduceSum', inputs: ['MASK', 'one'], output: 'count' },
    { op: 'Div', inputs: ['sum', 'count'], output: 'MEAN' },
    { op: 'Unsqueeze', inputs: ['X', 'one'], output: 'across' },
    { op: 'Unsqueeze', inputs: ['X', 'two'], output: 'down' },
    { op: 'Sub', inputs: ['down', 'across'], output: 'PAIRS' },
  ],
})

const CONFIG = `backend: "onnxruntime" max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] }, { name: "MASK" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "STATES" data_type: TYPE_FP32 dims: [ -1 ] }, { name: "MEAN" data_type: TYPE_FP32 dims: [ 1 ] },
  { name: "PAIRS" data_type: TYPE_FP32 dims: [ -1, -1 ] } ]
dynamic_batching { max_queue_delay_microseconds: 1000 }
instance_group [ { count: 1 kind: KIND_CPU } ]`
const parameter = (key: string, value: string) =>
  `parameters { key: "nereid_padding${key}" value { string_value: "${value}" } }`
const PADDED = `${CONFIG} ${parameter('', 'X=1000, MASK=0')} ${parameter('_outputs', 'STATES=X, PAIRS=X')}`

let backend: Backend
let server: Server

beforeAll(async () => {
  backend = onnxBackend({ clock: nodeClock() })
  server = await serveOnnx(backend, {
    plain: { config: CONFIG, file: MODEL },
    padded: { config: PADDED, file: MODEL },
    buckets: { config: `${PADDED} ${parameter('_buckets', '4, 16')}`, file: MODEL },
  })
  for (const name of ['plain', 'padded', 'buckets']) await server.load(name, {})
})
afterAll(async () => {
  await server.close()
  await backend.close?.()
})

async function infer(name: string, values: readonly number[], rows: number) {
  const shape = [rows, values.length]
  const repeated = Array.from({ length: rows }, () => values).flat()
  const data = floats(repeated)
  const mask = floats(repeated.map(() => 1))
  const outputs = await inferOn(server, name, [
    { name: 'X', datatype: 'FP32', shape, data },
    { name: 'MASK', datatype: 'FP32', shape, data: mask },
  ])
  return [...outputs].map(([output, tensor]) => [output, tensor.shape, floatsOf(tensor)])
}

const executions = (name: string) => server.model(name, '').stats.executionCount

test('requests of four lengths run at once, and as one that is padded nobody sees', async () => {
  const before = { plain: executions('plain'), padded: executions('padded') }
  const sent = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]
  const padded = await Promise.all(sent.map((values) => infer('padded', values, 1)))
  const plain = await Promise.all(sent.map((values) => infer('plain', values, 1)))
  expect(padded).toEqual(plain)
  expect(executions('padded') - before.padded).toBe(1)
  expect(executions('plain') - before.plain).toBe(4)
})

test(`answers are those of a request alone (seed ${SEED})`, async () => {
  const value = fc.integer({ min: -50, max: 50 })
  const request = fc.record({
    rows: fc.integer({ min: 1, max: 3 }),
    values: fc.array(value, { minLength: 1, maxLength: 20 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('padded', 'buckets'),
      async (requests, name) => {
        const together = await Promise.all(requests.map((one) => infer(name, one.values, one.rows)))
        for (const [i, { values, rows }] of requests.entries()) {
          expect(together[i]).toEqual(await infer('plain', values, rows))
        }
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
})
