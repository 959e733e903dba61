import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import type { UnaryMethod } from '../../../../adapters/grpc/types.ts'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { ServerError } from '../../../../core/errors.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { keepTraces } from '../../../helpers/traces.ts'
import { call } from './call.ts'

let serving: Serving
let methods: readonly UnaryMethod[]

beforeAll(async () => {
  serving = await serve()
})
beforeEach(() => {
  const { server, log } = serving
  const { tracer } = keepTraces(nodeClock())
  methods = controlMethods({ server, logControl: log, sharedMemory: null, log, tracer })
})
afterAll(() => serving.close())

const NOW = {
  trace_level: ['TIMESTAMPS', 'TENSORS'],
  trace_rate: ['1'],
  trace_count: ['-1'],
  log_frequency: ['0'],
  trace_file: ['/traces.json'],
  trace_mode: ['triton'],
}

/** Settings after a change of some. */
async function change(values: Record<string, string[]>, modelName = ''): Promise<unknown> {
  const settings = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, { value }]),
  )
  const answer = await call(methods, 'traceSetting', { modelName, settings })
  return Object.fromEntries(Object.entries(answer.settings).map(([key, { value }]) => [key, value]))
}

// Recorded from Triton 2.51.
test.each([
  [{ trace_rate: ['x'] }, 'INVALID_ARG', "Unable to parse 'trace_rate', got: x"],
  [{ trace_rate: ['1', '2'] }, 'INVALID_ARG', "expect only 1 value for 'trace_rate'"],
  [
    { trace_count: ['-9'] },
    'INVALID_ARG',
    "Unable to parse 'trace_count'. Expecting value >= -1, got: -9",
  ],
  [
    { trace_level: ['OFF', 'TENSORS'] },
    'INVALID_ARG',
    "Expect only one trace level 'OFF' is specified",
  ],
  [
    { trace_file: ['x'] },
    'UNSUPPORTED',
    'trace file location can not be updated through network protocol',
  ],
  [
    { log_frequency: ['99999999999'] },
    'INVALID_ARG',
    "Unable to parse 'log_frequency', value is out of range [ 0, 4294967295 ], got: 99999999999",
  ],
])('%j is refused', async (values, code, message) => {
  const error = await change(values as Record<string, string[]>).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ code, message })
  expect(await change({})).toEqual(NOW)
})

test('no value at all clears a setting', async () => {
  expect(await change({ trace_rate: ['9'], trace_level: ['TENSORS'] })).toEqual({
    ...NOW,
    trace_rate: ['9'],
    trace_level: ['TENSORS'],
  })
  expect(await change({ trace_rate: [], trace_level: [] })).toEqual(NOW)
})

test('a model has settings of its own', async () => {
  expect(await change({ trace_count: ['3'] }, 'echo')).toEqual({ ...NOW, trace_count: ['3'] })
  expect(await change({})).toEqual(NOW)
  await expect(change({ trace_count: ['3'] }, 'nope')).rejects.toThrow(
    'Request for unknown model : nope',
  )
})
