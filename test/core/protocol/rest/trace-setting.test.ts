import { afterAll, beforeEach, expect, test } from 'vitest'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { keepTraces } from '../../../helpers/traces.ts'

let serving: Serving | undefined
const ALL = '/v2/trace/setting'
const NOW = {
  trace_level: ['TIMESTAMPS', 'TENSORS'],
  trace_rate: '1',
  trace_count: '-1',
  log_frequency: '0',
  trace_file: '/traces.json',
  trace_mode: 'triton',
}

beforeEach(async () => {
  await serving?.close()
  serving = await serve({ doors: { tracer: keepTraces(nodeClock()).tracer } })
})
afterAll(() => serving?.close())

async function ask(path: string, body?: string): Promise<[number, unknown]> {
  const init = body === undefined ? {} : { method: 'POST', body }
  const reply = await fetch(`${serving?.url}${path}`, init)
  return [reply.status, await reply.json()]
}

// Recorded from Triton 2.51; what is its fault there (500) is the client's mistake here (400).
test.each([
  ['{"trace_rate":"x"}', 400, "Unable to parse 'trace_rate', got: x"],
  ['{"trace_rate":""}', 400, "Unable to parse 'trace_rate', got: "],
  ['{"trace_rate":5}', 400, 'attempt to access JSON non-string as string'],
  [
    '{"trace_rate":"3000000000"}',
    400,
    "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: 3000000000",
  ],
  [
    '{"trace_rate":"0"}',
    400,
    'Attempting to set invalid trace setting :sample rate must be non-zero',
  ],
  ['{"trace_count":"-9"}', 400, "Unable to parse 'trace_count'. Expecting value >= -1, got:-9"],
  ['{"trace_count":"q"}', 400, "Unable to parse 'trace_count', got: q"],
  [
    '{"trace_count":"99999999999"}',
    400,
    "Unable to parse 'trace_count', value is out of range [ -1, 2147483647 ], got: 99999999999",
  ],
  ['{"log_frequency":"q"}', 400, "Unable to parse 'log_frequency', got: q"],
  ['{"trace_level":["OFF","TIMESTAMPS"]}', 400, "Expect only one trace level 'OFF' is specified"],
  ['{"trace_level":"OFF"}', 400, 'attempt to access JSON non-array as array'],
  ['{"trace_level":[3]}', 400, 'attempt to access JSON non-string as string'],
  ['{"trace_file":null}', 501, 'trace file location can not be updated through network protocol'],
  ['{"trace_rate":"2","trace_count":"zz"}', 400, "Unable to parse 'trace_count', got: zz"],
  ['', 400, 'failed to parse the request JSON buffer: The document is empty. at 0'],
])('%s is refused', async (body, status, error) => {
  expect(await ask(ALL, body)).toEqual([status, { error }])
  expect(await ask(ALL)).toEqual([200, NOW])
})

test.each([
  ['{"trace_rate":"-1"}', { trace_rate: '4294967295' }],
  ['{"trace_rate":"  7abc"}', { trace_rate: '7' }],
  ['{"log_frequency":"-3"}', { log_frequency: '4294967293' }],
  ['{"trace_count":"+3"}', { trace_count: '3' }],
  ['{"trace_level":["OFF"]}', { trace_level: ['OFF'] }],
  ['{"trace_level":["TENSORS","BOGUS"]}', { trace_level: ['TENSORS'] }],
  ['{"trace_level":[]}', {}],
  ['{"bogus":1}', {}],
  ['[]', {}],
  ['3', {}],
])('%s is taken as Triton takes it', async (body, change) => {
  expect(await ask(ALL, body)).toEqual([200, { ...NOW, ...change }])
})

test('null clears, for all and for a model', async () => {
  const model = '/v2/models/echo/trace/setting'
  await ask(ALL, '{"trace_rate":"9","trace_count":"4"}')
  await ask(model, '{"trace_rate":"7"}')
  expect(await ask(model)).toEqual([200, { ...NOW, trace_rate: '7', trace_count: '4' }])
  expect(await ask(model, '{"trace_rate":null}')).toEqual([
    200,
    { ...NOW, trace_rate: '9', trace_count: '4' },
  ])
  const cleared = '{"trace_rate":null,"trace_count":null,"trace_level":null,"log_frequency":null}'
  expect(await ask(ALL, cleared)).toEqual([200, NOW])
})

test('a model that is not there has no settings', async () => {
  const refusal = [400, { error: 'Request for unknown model : nope' }]
  expect(await ask('/v2/models/nope/trace/setting')).toEqual(refusal)
  expect(await ask('/v2/models/nope/trace/setting', '{"trace_count":"3"}')).toEqual(refusal)
})

test('in opentelemetry mode the settings show where spans go instead of the file', async () => {
  const options = [
    ['url', 'http://127.0.0.1:1/v1/traces'],
    ['bsp_max_queue_size', '2048'],
  ] as const
  const facts = { mode: 'opentelemetry', file: '', options } as const
  const open = await serve({ doors: { tracer: keepTraces(nodeClock(), {}, facts).tracer } })
  try {
    const reply = await (await fetch(`${open.url}${ALL}`)).text()
    expect(reply).toBe(
      '{"trace_level":["TIMESTAMPS","TENSORS"],"trace_rate":"1","trace_count":"-1","trace_mode":"opentelemetry","url":"http://127.0.0.1:1/v1/traces","bsp_max_queue_size":"2048"}',
    )
  } finally {
    await open.close()
  }
})
