import { afterEach, expect, test } from 'vitest'
import { Plugin } from '../../../../adapters/backends/plugin/plugin.ts'
import { memoryStore } from '../../../../adapters/stores/memory.ts'
import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  Instance,
} from '../../../../core/backend/types.ts'
import { packBytes } from '../../../../core/bytes.ts'
import type { ModelConfig } from '../../../../core/config/types.ts'
import { ServerError } from '../../../../core/errors.ts'
import { InferRequest } from '../../../../core/infer.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { createFakeClock } from '../../../helpers/fake-clock.ts'
import { testLog } from '../../../helpers/test-log.ts'
import { backendOf } from './plugins.ts'

const CONFIG: ModelConfig = {
  name: 'm',
  max_batch_size: 4,
  output: [
    { name: 'Y', data_type: 'TYPE_FP32', dims: [-1] },
    { name: 'S', data_type: 'TYPE_STRING', dims: [-1] },
  ],
}
const Y: Tensor = { name: 'Y', datatype: 'FP32', shape: [1, 2], data: new Uint8Array(8) }

const open: Instance[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

type Execute = (batch: Batch, done: BatchDone, answers: DecoupledAnswers | null) => unknown

/** The instance of a plug-in that executes like this, as the server gets it. */
async function guarded(execute: Execute, parts: object = {}, limitMs = '1000') {
  const config = { ...CONFIG, parameters: { execution_timeout_ms: { string_value: limitMs } } }
  const clock = createFakeClock()
  const { log, lines } = testLog()
  const odd = backendOf({
    execute: (batch: Batch, _marks: unknown, done: BatchDone, answers: DecoupledAnswers | null) =>
      execute(batch, done, answers),
    ...parts,
  })
  const plugin = new Plugin(() => odd, { name: 'odd', clock, log })
  const backend = await plugin.lend()
  const model = await backend.load({
    name: 'm',
    version: 1,
    config,
    settings: new Map(),
    store: memoryStore({ files: new Map() }),
    modelPath: 'm',
    versionPath: 'm/1',
    log,
  })
  const instance = await model.instance({ name: 'm_0', kind: 'KIND_CPU', device: 0 }, config)
  open.push(instance)
  return { instance, clock, lines }
}

const request = (): InferRequest => new InferRequest({ inputs: [] }, { answer() {} })

/** Runs one request and keeps every answer. */
function run(instance: Instance, answers: DecoupledAnswers | null = null) {
  const marks = { startNs: 5, inputEndNs: 0, outputStartNs: 0 }
  const given: (BatchResult | ServerError)[] = []
  instance.execute(
    { requests: [request()], size: 1 },
    marks,
    (answer) => given.push(answer),
    answers,
  )
  return { given, marks }
}

const errorOf = (given: readonly unknown[]): ServerError => {
  expect(given).toHaveLength(1)
  expect(given[0]).toBeInstanceOf(ServerError)
  return given[0] as ServerError
}

test('an execution that throws, or rejects, is answered with its message', async () => {
  const thrower = await guarded(() => {
    throw new Error('out of ink')
  })
  expect(errorOf(run(thrower.instance).given)).toMatchObject({
    code: 'INTERNAL',
    message: "instance 'm_0' of backend 'odd': out of ink",
  })
  const { instance } = await guarded(async () => {
    throw Object.assign(new Error('no such voice'), { code: 'NOT_FOUND' })
  })
  const { given } = run(instance)
  await new Promise((resolve) => setImmediate(resolve))
  expect(errorOf(given)).toMatchObject({ code: 'NOT_FOUND', message: 'no such voice' })
})

test.each([
  ['nothing', undefined, /an answer is no object/],
  ['a number', 7, /an answer is no object/],
  ['no outputs', {}, /'outputs' is no array/],
  ['an output that is null', { outputs: [null] }, /an output is no object/],
  ['an output without a name', { outputs: [{ ...Y, name: 3 }] }, /an output has no name/],
  ['a datatype that is none', { outputs: [{ ...Y, datatype: 'FP31' }] }, /datatype 'FP31'/],
  ['another datatype', { outputs: [{ ...Y, datatype: 'INT32' }] }, /configuration says FP32/],
  ['no shape', { outputs: [{ ...Y, shape: '2' }] }, /has no shape/],
  ['a shape of halves', { outputs: [{ ...Y, shape: [1, 0.5] }] }, /invalid dimensions/],
  ['a negative shape', { outputs: [{ ...Y, shape: [1, -1] }] }, /invalid dimensions/],
  ['a huge shape', { outputs: [{ ...Y, shape: [2 ** 40, 2 ** 40] }] }, /exceed maximum size/],
  ['too few bytes', { outputs: [{ ...Y, shape: [1, 3] }] }, /has 8 bytes, expected 12/],
  ['an array of numbers', { outputs: [{ ...Y, data: [1, 2] }] }, /no Uint8Array/],
  [
    'strings that are none',
    { outputs: [{ ...Y, name: 'S', datatype: 'BYTES', shape: [3] }] },
    /not 3 strings/,
  ],
  ['answers for nobody', { outputs: [], answers: [] }, /for each of 1 requests/],
  ['requests it never had', { outputs: [], again: [request()] }, /no request of the batch/],
])('an answer that is %s is an error that says so', async (_what, answer, expected) => {
  const { instance, lines } = await guarded((_batch, done) => done(answer as never))
  const error = errorOf(run(instance).given)
  expect(error.code).toBe('INTERNAL')
  expect(error.message).toMatch(expected)
  expect(lines.join('\n')).toMatch(expected)
})

test('an answer that is one passes, its release is called, and made-up times are left out', async () => {
  let released = 0
  const text: Tensor = {
    name: 'S',
    datatype: 'BYTES',
    shape: [1],
    data: packBytes([new Uint8Array(3)]),
  }
  const { instance } = await guarded((_batch, done) =>
    done({ outputs: [Y, text], release: () => released++ }),
  )
  const { given, marks } = run(instance)
  expect(given).toMatchObject([{ outputs: [Y, text] }])
  const [answer] = given as BatchResult[]
  answer!.release?.()
  expect(released).toBe(1)
  expect(marks).toEqual({ startNs: 5, inputEndNs: 0, outputStartNs: 0 })
})

test('a second answer is dropped, released, and is not the answer of the next batch', async () => {
  const dones: BatchDone[] = []
  let released = 0
  const { instance, lines } = await guarded((_batch, done) => void dones.push(done))
  const first = run(instance)
  dones[0]!({ outputs: [Y] })
  const second = run(instance)
  dones[0]!({ outputs: [], release: () => released++ })
  expect(first.given).toHaveLength(1)
  expect(second.given).toHaveLength(0)
  expect(released).toBe(1)
  expect(lines.join('\n')).toContain('it answered a batch twice')
  dones[1]!({ outputs: [Y] })
  expect(second.given).toMatchObject([{ outputs: [Y] }])
})

test('a batch that is never answered is given up after its time; the instance is back when the answer comes', async () => {
  const dones: BatchDone[] = []
  let terminated = 0
  const parts = { terminate: () => terminated++ }
  const { instance, clock, lines } = await guarded((_batch, done) => void dones.push(done), parts)
  const lost = run(instance)
  clock.advance(999e6)
  expect(lost.given).toEqual([])
  clock.advance(2e6)
  expect(errorOf(lost.given).message).toContain(
    'it ran longer than execution_timeout_ms, which is 1000',
  )
  expect(terminated).toBe(1)
  expect(instance.ready).toBe(false)
  expect(errorOf(run(instance).given).code).toBe('UNAVAILABLE')
  dones[0]!({ outputs: [Y] })
  expect(lost.given).toHaveLength(1)
  expect(instance.ready).toBe(true)
  expect(lines.join('\n')).toContain('is back after')
  const next = run(instance)
  dones[1]!({ outputs: [Y] })
  expect(next.given).toMatchObject([{ outputs: [Y] }])
})

test('one long execution after many short ones has all of its time', async () => {
  const dones: BatchDone[] = []
  const { instance, clock } = await guarded((_batch, done) => void dones.push(done))
  run(instance)
  clock.advance(900e6)
  dones[0]!({ outputs: [Y] })
  const second = run(instance)
  clock.advance(900e6)
  expect(second.given).toEqual([])
  clock.advance(200e6)
  errorOf(second.given)
})

test('a decoupled model that sends nonsense has that answered, and nothing for requests it never had', async () => {
  const { instance, lines } = await guarded((_batch, done, answers) => {
    answers!.send(0, { outputs: [Y] }, false)
    answers!.send(0, { outputs: 3 } as never, false)
    answers!.send(9, null, true)
    answers!.send(0, new Error('tired') as never, false)
    answers!.send(0, null, true)
    done({ outputs: [] })
  })
  const sent: unknown[] = []
  const { given } = run(instance, { send: (...all) => void sent.push(all) })
  expect(given).toEqual([{ outputs: [] }])
  expect(sent).toMatchObject([
    [0, { outputs: [Y] }, false],
    [0, { message: expect.stringContaining("'outputs' is no array") }, false],
    [0, { message: expect.stringContaining('tired') }, false],
    [0, null, true],
  ])
  expect(lines.join('\n')).toContain('request 9')
})

test('a decoupled model that falls silent has its requests ended, unless it waits for a client', async () => {
  let send: DecoupledAnswers['send'] = () => {}
  const { instance, clock } = await guarded((_batch, done, answers) => {
    send = (...all) => answers!.send(...all)
    done({ outputs: [] })
  })
  const sent: unknown[][] = []
  const { given } = run(instance, { send: (...all) => void sent.push(all) })
  expect(given).toHaveLength(1)
  clock.advance(900e6)
  send(0, { outputs: [Y] }, false)
  clock.advance(900e6)
  expect(sent).toHaveLength(1)
  clock.advance(200e6)
  expect(sent[1]).toMatchObject([0, { message: expect.stringContaining('it sent nothing') }, true])
  clock.advance(5000e6)
  expect(sent).toHaveLength(2)

  const slow = new InferRequest({ inputs: [] }, { answer() {}, congested: () => true })
  const marks = { inputEndNs: 0, outputStartNs: 0 }
  const waiting = { send: (...all: unknown[]) => void sent.push(all) }
  instance.execute({ requests: [slow], size: 1 }, marks, () => {}, waiting)
  clock.advance(5000e6)
  expect(sent).toHaveLength(2)
  send(0, null, true)
  clock.advance(5000e6)
  expect(sent).toHaveLength(3)
  expect(clock.timers).toBe(0)

  run(instance, waiting)
  await instance.close()
  expect(sent[3]).toMatchObject([0, { message: expect.stringContaining('was closed') }, true])
})

test('an instance that does not close is left alone, and what it ran is answered', async () => {
  const parts = { close: () => new Promise(() => {}) }
  const { instance, clock, lines } = await guarded(() => {}, parts, '0')
  const { given } = run(instance)
  const closed = instance.close()
  clock.advance(10_000e6)
  await closed
  expect(errorOf(given).message).toContain('was closed')
  expect(lines.join('\n')).toContain('did not end within 10 s')
})

test('complaints about one instance end', async () => {
  const { instance, lines } = await guarded((_batch, done) => done(null as never))
  for (let i = 0; i < 1000; i++) run(instance)
  expect(lines.length).toBeLessThan(50)
})
