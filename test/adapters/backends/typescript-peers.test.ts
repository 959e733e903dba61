import { afterAll, describe, expect, test } from 'vitest'
import type { RequestTrace } from '../../../core/infer.ts'
import type { ServerOptions } from '../../../core/server-options.ts'
import { until } from '../../helpers/until.ts'
import {
  type Asked,
  ask,
  buildWorker,
  type Serving,
  serveModels,
  text,
  told,
} from './typescript-rig.ts'

const { worker, remove } = buildWorker()
afterAll(remove)

const CALLER = `
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ -1 ] } ]
output [ { name: "ANSWER" data_type: TYPE_STRING dims: [ 1 ] } ]
`
const COUNTER = `
input [ { name: "COUNT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "INDEX" data_type: TYPE_INT32 dims: [ 1 ] } ]
model_transaction_policy { decoupled: true }
`
const SLOW = `
input [ { name: "COUNT" data_type: TYPE_INT64 dims: [ 1 ] } ]
output [ { name: "DONE" data_type: TYPE_INT64 dims: [ 1 ] } ]
`
const SAYS_TEXT = `
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ -1 ] } ]
output [ { name: "ANSWER" data_type: TYPE_STRING dims: [ -1 ] } ]
`

const serving = (options: ServerOptions = {}): Promise<Serving> =>
  serveModels(worker, { caller: CALLER, counter: COUNTER, slow: SLOW, moody: SAYS_TEXT }, options)

const send = (to: Serving, ...words: string[]): Asked =>
  ask(to, 'caller', [text(words, [words.length])])
const tell = (to: Serving, ...words: string[]): Promise<string> => told(send(to, ...words))

describe('a model in TypeScript that calls others', () => {
  test('gets what they answer, of any kind', async () => {
    const server = await serving()
    expect(await tell(server, 'echo', 'echo')).toBe('1,2')
    expect(await tell(server, 'pass', 'moody')).toBe('moody_0 1')
    expect(server.server.statistics('echo')[0]?.stats.success.count).toBe(1)
  })

  test('hands on everything that a request can have', async () => {
    const server = await serving()
    expect(await tell(server, 'who', 'moody')).toBe(
      'inner,2,5000000,call,true,true,1 {"from":"caller"} ANSWER',
    )
  })

  test('gets their errors with code and text', async () => {
    const server = await serving()
    expect(await tell(server, 'echo', 'absent')).toMatch(
      /^NOT_FOUND Request for unknown model: 'absent' is not found$/,
    )
    expect(await tell(server, 'echo', 'slow')).toMatch(/^INVALID_ARG .*'slow'/)
    expect(await tell(server, 'pass', 'echo')).toMatch(/^INVALID_ARG /)
  })

  test('calls many at a time', async () => {
    const server = await serving()
    expect(await tell(server, 'together', 'slow', '40')).toBe('40')
    expect(server.server.statistics('slow')[0]?.stats.success.count).toBe(40)
  })

  test('takes the answers of decoupled models as they come, and may leave', async () => {
    const server = await serving()
    expect(await tell(server, 'count', 'counter', '100')).toBe('4950')
    expect(await tell(server, 'count', 'counter', '1000000')).toBe('10011')
    expect(await tell(server, 'count', 'counter', '3')).toBe('3')
    await until(() => server.server.inflight === 0)
  })

  test('is told where it asks for one answer and there are none or many', async () => {
    const server = await serving()
    expect(await tell(server, 'one', 'counter', '1')).toBe('0')
    expect(await tell(server, 'one', 'counter', '0')).toMatch(/INTERNAL.*gave no response/)
    expect(await tell(server, 'one', 'counter', '2')).toMatch(/UNSUPPORTED.*use stream/)
  })

  test('its calls end with the request that they are made for', async () => {
    const server = await serving()
    const asked = send(server, 'wait', 'slow', '3600000')
    await until(() => server.server.inflight === 2)
    asked.request.cancel()
    expect(await told(asked)).toMatch(/^CANCELLED/)
    await until(() => server.server.inflight === 0)
  })

  test('its calls are traced as parts of the request that they are made for', async () => {
    const server = await serving()
    const seen: string[] = []
    const trace = (path: string): RequestTrace => ({
      begin: (_request, { name }) => seen.push(`${path}${name}`),
      executed() {},
      answered() {},
      child: () => trace(`${path}> `),
    })
    const words = text(['echo', 'echo'], [2])
    expect(await told(ask(server, 'caller', [words], { trace: trace('') }))).toBe('1,2')
    expect(seen).toEqual(['caller', '> echo'])
  })

  test('its calls end when its thread does', async () => {
    const limited = `${CALLER}parameters { key: "execution_timeout_ms" value { string_value: "300" } }`
    const server = await serveModels(worker, { caller: limited, slow: SLOW })
    expect(await tell(server, 'wait', 'slow', '3600000')).toMatch(/INTERNAL model 'caller' failed/)
    await until(() => server.server.inflight === 0)
    expect(await tell(server, 'echo', 'echo')).toBe('1,2')
  })

  test('loads and unloads in explicit mode, but not while it is loaded itself', async () => {
    const server = await serving({ modelControlMode: 'explicit', loadModels: ['caller'] })
    expect(await tell(server, 'early')).toBe("cannot load 'echo' before this model is ready")
    expect(await tell(server, 'ready', 'moody')).toBe('false')
    expect(await tell(server, 'load', 'moody')).toBe('loaded')
    expect(await tell(server, 'ready', 'moody')).toBe('true')
    expect(await tell(server, 'pass', 'moody')).toBe('moody_0 1')
    expect(await tell(server, 'unload', 'moody')).toBe('unloaded')
    expect(await tell(server, 'ready', 'moody')).toBe('false')
    expect(await tell(server, 'load', 'absent')).toMatch(/failed to load 'absent'|not found|absent/)
  })

  test('does not load where models are not loaded by name', async () => {
    const server = await serving()
    expect(await tell(server, 'load', 'moody')).toMatch(
      /^UNAVAILABLE explicit model load \/ unload is not allowed/,
    )
  })
})
