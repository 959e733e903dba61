import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { ModelConfig } from '../../../core/config/types.ts'
import { MAX_PADDED_BYTES } from '../../../core/schedulers/padded-instance.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { type Compute, joinInput } from '../../helpers/fake-backend.ts'
import { createRig, IDENTITY, int32, type Rig } from './rig.ts'

const SEED = 20_251_122
const RUNS = 300
const PAD = -7

const parameters = (some: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(some).map(([key, string_value]) => [`nereid_padding${key}`, { string_value }]),
  )
const config = (some: Readonly<Record<string, string>>, dims = [-1]): ModelConfig => ({
  ...IDENTITY,
  dynamic_batching: {},
  input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims }],
  output: [{ name: 'OUTPUT0', data_type: 'TYPE_INT32', dims }],
  parameters: parameters(some),
})
const PADDED = { '': `INPUT0=${PAD}`, _outputs: 'OUTPUT0=INPUT0' }

const sizes = ({ instances }: Rig) =>
  instances.flatMap(({ batches }) => batches.map(({ size }) => size))

describe('requests of different lengths', () => {
  it('share a batch, and each gets its own length back', () => {
    const shapes: (readonly number[])[] = []
    const rig = createRig({
      config: config(PADDED),
      compute(batch) {
        const input = joinInput(batch, 0)
        shapes.push(...batch.requests.map(({ inputs }) => inputs[0]?.shape ?? []))
        return { outputs: [{ ...input, name: 'OUTPUT0' }] }
      },
    })
    const sent = [
      rig.send('a', { columns: 2, value: 1 }),
      rig.send('b', { columns: 5, value: 2, rows: 2 }),
      rig.send('c', { columns: 0 }),
    ]
    rig.clock.settle()
    expect(rig.batches).toEqual([['a', 'b', 'c']])
    expect(shapes).toEqual([
      [1, 5],
      [2, 5],
      [1, 5],
    ])
    expect(sent.map((one) => one.response().outputs[0]?.shape)).toEqual([
      [1, 2],
      [2, 5],
      [1, 0],
    ])
    expect(sent.map(({ values }) => values)).toEqual([[1, 1], new Array(10).fill(2), []])
    expect(sent[0]?.request.inputs[0]?.shape).toEqual([1, 2])
  })

  it('see the value that the config says at their end', () => {
    const seen: number[] = []
    const rig = createRig({
      config: config({ '': `INPUT0=${PAD}` }),
      compute(batch) {
        const input = joinInput(batch, 0)
        seen.push(...new Int32Array(input.data.slice().buffer))
        return { outputs: [{ ...input, name: 'OUTPUT0' }] }
      },
    })
    const short = rig.send('a', { columns: 1, value: 1 })
    rig.send('b', { columns: 3, value: 2 })
    rig.clock.settle()
    expect(seen).toEqual([1, PAD, PAD, 2, 2, 2])
    // The output is not named: it is passed on as it is.
    expect(short.values).toEqual([1, PAD, PAD])
  })

  it('are filled up to a bucket, alone as well, and to the longest where none is long enough', () => {
    const seen: number[] = []
    const compute: Compute = (batch) => {
      seen.push(batch.requests[0]?.inputs[0]?.shape[1] ?? 0)
      return { outputs: [{ ...joinInput(batch, 0), name: 'OUTPUT0' }] }
    }
    const rig = createRig({ config: config({ ...PADDED, _buckets: '4, 8' }), compute })
    for (const columns of [[3], [4], [2, 5], [8, 1], [9], [1, 11]]) {
      const sent = columns.map((count) => rig.send('', { columns: count, value: 3 }))
      rig.clock.settle()
      expect(sent.map(({ values }) => values.length)).toEqual(columns)
    }
    expect(seen).toEqual([4, 4, 8, 8, 9, 11])
  })

  it('stay apart where padding would make a batch too large', () => {
    const rig = createRig({ config: config(PADDED) })
    const long = MAX_PADDED_BYTES / 8 / 4 + 1
    const sent = [
      rig.send('a', { columns: 1, value: 1 }),
      rig.send('b', { columns: long, value: 2 }),
      rig.send('c', { columns: long, value: 3 }),
      rig.send('d', { columns: long - 1, value: 4 }),
      rig.send('e', { columns: 2, value: 5 }),
    ]
    rig.clock.settle()
    expect(rig.batches).toEqual([['a'], ['b', 'c'], ['d', 'e']])
    expect(sent.map(({ values }) => values.length)).toEqual([1, long, long, long - 1, 2])
    expect(sizes(rig)).toEqual([1, 2, 2])
  })

  it('fail together when an output is shorter than an input, and have their inputs back', () => {
    const rig = createRig({
      config: config(PADDED),
      compute: (batch) => ({
        outputs: [int32('OUTPUT0', [batch.size, 1], new Array(batch.size).fill(0))],
      }),
    })
    const sent = [rig.send('a', { columns: 1 }), rig.send('b', { columns: 3 })]
    rig.clock.settle()
    for (const one of sent) {
      expect(one.error).toBe(
        "INTERNAL output 'OUTPUT0' of shape [1,1] is shorter than its input 'INPUT0' of 3",
      )
    }
    expect(sent.map(({ request }) => request.inputs[0]?.shape)).toEqual([
      [1, 1],
      [1, 3],
    ])
  })
})

/** A model that does not look at padding: sums up to each step, the count of what is no padding, and who sees whom. */
const model: Compute = (batch) => {
  const { shape, data } = joinInput(batch, 0)
  const [rows = 0, a = 0, length = 0, b = 0] = shape
  const values = new Int32Array(data.slice().buffer)
  const sums = new Int32Array(values.length)
  const counts = new Int32Array(rows)
  const pairs = new Int32Array(rows * length * length)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < a * length * b; i++) {
      const at = row * a * length * b + i
      const before = Math.floor(i / b) % length === 0 ? 0 : (sums[at - b] ?? 0)
      sums[at] = before + (values[at] ?? 0)
      if (values[at] !== PAD) counts[row] = (counts[row] ?? 0) + 1
    }
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) pairs[(row * length + i) * length + j] = 10 * i + j
    }
  }
  const tensor = (name: string, of: readonly number[], from: Int32Array): Tensor => ({
    name,
    datatype: 'INT32',
    shape: of,
    data: new Uint8Array(from.buffer),
  })
  return {
    outputs: [
      tensor('OUTPUT0', shape, sums),
      tensor('COUNT', [rows, 1], counts),
      tensor('PAIRS', [rows, length, length], pairs),
    ],
  }
}
const MODEL: ModelConfig = {
  ...config({ '': `INPUT0=${PAD}`, _outputs: 'OUTPUT0=INPUT0, PAIRS=INPUT0' }, [2, -1, 3]),
  output: [
    { name: 'OUTPUT0', data_type: 'TYPE_INT32', dims: [2, -1, 3] },
    { name: 'COUNT', data_type: 'TYPE_INT32', dims: [1] },
    { name: 'PAIRS', data_type: 'TYPE_INT32', dims: [-1, -1] },
  ],
}

test(`answers are those of each request alone (seed ${SEED})`, () => {
  const request = fc.record({ rows: fc.integer({ min: 1, max: 3 }), length: fc.nat(6) })
  const buckets = fc.constantFrom('', '2,4', '3', '16')
  let shared = 0
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), buckets, (requests, sizes) => {
      const together = createRig({
        config: {
          ...MODEL,
          parameters: { ...MODEL.parameters, ...parameters({ _buckets: sizes }) },
        },
        compute: model,
        count: 2,
      })
      const alone = createRig({ config: { ...MODEL, parameters: {} }, compute: model })
      let next = 0
      const inputs = requests.map(({ rows, length }) => {
        const values = Array.from({ length: rows * 2 * length * 3 }, () => next++)
        return { rows, inputs: [int32('INPUT0', [rows, 2, length, 3], values)] }
      })
      const sent = inputs.map((one) => together.send('', one))
      together.clock.settle()
      const expected = inputs.map((one) => {
        const single = alone.send('', one)
        alone.clock.settle()
        return single.response().outputs
      })
      const plain = (outputs: readonly Tensor[]) =>
        outputs.map(({ name, shape, data }) => ({ name, shape, data: [...data] }))
      expect(sent.map((one) => plain(one.response().outputs))).toEqual(expected.map(plain))
      expect(sent.map((one) => one.request.inputs)).toEqual(inputs.map((one) => one.inputs))
      shared += requests.length - together.batches.length
    }),
    { seed: SEED, numRuns: RUNS },
  )
  expect(shared).toBeGreaterThan(RUNS)
})
