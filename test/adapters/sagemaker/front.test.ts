import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { memoryRoom } from '../../../adapters/sagemaker/memory-room.ts'
import { ServerError } from '../../../core/errors.ts'
import { send } from '../../helpers/http.ts'
import {
  ECHO_ARCHIVE,
  type HostOptions,
  type ServingHosts,
  serveHosts,
} from '../../helpers/serve-hosts.ts'

const TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size='
let hosts: ServingHosts
afterEach(() => hosts.close())

let viaApp = false
async function open(options: HostOptions = {}): Promise<void> {
  hosts = await serveHosts({ viaApp, ...options })
}
async function ask(method: string, path: string, body: string | Uint8Array = '', headers = {}) {
  const answer = await send({ url: hosts.sagemaker + path, method, body, headers })
  return { ...answer, text: answer.body.toString(), type: answer.headers['content-type'] }
}
const load = (hash: string, folder = 'model', headers = {}) => {
  const url = `/opt/ml/models/${hash}/${folder}`
  return ask('POST', '/models', JSON.stringify({ model_name: hash, url }), headers)
}
const REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
})
const HEAD = JSON.stringify({
  inputs: [
    { name: 'INPUT0', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } },
  ],
  outputs: [{ name: 'OUTPUT0', parameters: { binary_data: true } }],
})
const BINARY = Buffer.concat([Buffer.from(HEAD), Buffer.from(Float32Array.of(1, 2).buffer)])

describe.each([
  ['listener', false],
  ['app', true],
])('one model, inferred by the %s', (_, slow) => {
  beforeAll(() => {
    viaApp = slow
  })
  test('/ping is 200 while the server is ready, 400 when it is not, and 405 to who does not get', async () => {
    await open()
    expect((await ask('GET', '/ping')).status).toBe(200)
    expect((await ask('POST', '/ping')).status).toBe(405)
    hosts.server.drain()
    expect((await ask('GET', '/ping')).status).toBe(400)
  })

  test('/ping of an endpoint with many models goes on while some of them are out of order', async () => {
    await open({ settings: { pingMode: 'live' } })
    hosts.server.drain()
    expect((await ask('GET', '/ping')).status).toBe(200)
  })

  test('/invocations runs the default model, and names the variable where there is none', async () => {
    await open()
    const answer = await ask('POST', '/invocations', REQUEST)
    expect(JSON.parse(answer.text)).toMatchObject({
      model_name: 'echo',
      outputs: [{ data: [1, 2] }],
    })
    expect((await ask('GET', '/invocations')).status).toBe(405)
    await hosts.close()
    await open({ settings: { defaultModel: 'unspecified_SAGEMAKER_TRITON_DEFAULT_MODEL_NAME' } })
    const none = await ask('POST', '/invocations', REQUEST)
    expect(none).toMatchObject({
      status: 404,
      text: `{"error":"Request for unknown model: 'unspecified_SAGEMAKER_TRITON_DEFAULT_MODEL_NAME' is not found"}`,
    })
  })

  test('a content type with the length of the JSON part makes the rest binary, in both directions', async () => {
    await open()
    const answer = await ask('POST', '/invocations', BINARY, { 'content-type': TYPE + HEAD.length })
    expect(answer.type).toMatch(
      /^application\/vnd\.sagemaker-triton\.binary\+json;json-header-size=\d+$/,
    )
    expect(answer.headers['inference-header-content-length']).toBeUndefined()
    const length = Number(String(answer.type).slice(TYPE.length))
    const tail = answer.body.subarray(length)
    expect([tail.readFloatLE(0), tail.readFloatLE(4)]).toEqual([1, 2])
    expect(JSON.parse(answer.body.subarray(0, length).toString()).model_name).toBe('echo')
  })

  test.each([
    ['-1', `inference header size should be in range (0, ${BINARY.length}), got: -1`],
    ['9999', `inference header size should be in range (0, ${BINARY.length}), got: 9999`],
    ['abc', 'Unable to parse inference header size, got: abc'],
    ['12abc', 'Unable to parse inference header size, got: 12abc'],
    ['', 'Unable to parse inference header size, got: '],
    [
      '99999999999',
      'Unable to parse inference header size, value is out of range, got: 99999999999',
    ],
  ])('a length of %j is a 400', async (size, error) => {
    await open()
    const answer = await ask('POST', '/invocations', BINARY, { 'content-type': TYPE + size })
    expect([answer.status, JSON.parse(answer.text)]).toEqual([400, { error }])
  })

  test('a content type that only contains that one is a 400', async () => {
    await open()
    const answer = await ask('POST', '/invocations', BINARY, { 'content-type': `x${TYPE}1` })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(`expect MIME type for binary data starts with '${TYPE}', got: x`)
  })

  test('nothing is packed or unpacked, whatever the header says', async () => {
    await open()
    const headers = { 'content-encoding': 'br', 'accept-encoding': 'gzip' }
    const answer = await ask('POST', '/invocations', REQUEST, headers)
    expect(JSON.parse(answer.text).outputs[0].data).toEqual([1, 2])
    expect(answer.headers['content-encoding']).toBeUndefined()
  })
})

describe.each([
  ['listener', false],
  ['app', true],
])('many models, inferred by the %s', (_, slow) => {
  beforeAll(() => {
    viaApp = slow
  })
  const archives = { abc: ECHO_ARCHIVE, def: ECHO_ARCHIVE }

  test('one is loaded, shown, asked, unloaded, and then gone', async () => {
    await open({ archives })
    expect((await load('abc')).status).toBe(200)
    const shown = { modelName: 'abc', modelUrl: '/opt/ml/models/abc/model' }
    expect(JSON.parse((await ask('GET', '/models')).text)).toEqual({ models: [shown] })
    expect(JSON.parse((await ask('GET', '/models/abc')).text)).toEqual(shown)
    const answer = await ask('POST', '/models/abc/invoke', REQUEST)
    expect(JSON.parse(answer.text)).toMatchObject({
      model_name: 'abc',
      outputs: [{ data: [1, 2] }],
    })
    expect((await ask('DELETE', '/models/abc')).status).toBe(200)
    for (const [method, path] of [
      ['GET', '/models/abc'],
      ['DELETE', '/models/abc'],
      ['POST', '/models/abc/invoke'],
    ] as const) {
      const gone = await ask(method, path, method === 'POST' ? REQUEST : '')
      expect([gone.status, gone.text]).toEqual([404, ''])
    }
    expect((await ask('GET', '/models')).text).toBe('{"models":[]}')
    expect((await load('abc')).status).toBe(200)
  })

  test('a model, an archive and a name can be loaded once: 409', async () => {
    await open({ archives })
    await load('abc', 'model', { 'x-amzn-sagemaker-target-model': 'nice.tar.gz' })
    const twice = await load('abc')
    expect([twice.status, JSON.parse(twice.text)]).toEqual([
      409,
      { error: "model repository '/opt/ml/models/abc/model' has already been registered" },
    ])
    const named = await load('def', 'model', { 'x-amzn-sagemaker-target-model': 'nice.tar.gz' })
    expect(named.status).toBe(409)
    expect(named.text).toContain("there is a conflicting mapping for 'nice.tar.gz'")
    expect((await load('def')).status).toBe(200)
  })

  test('a model goes by the name of its archive, and only the path says which one is asked', async () => {
    await open({ archives })
    await load('abc', 'model', { 'x-amzn-sagemaker-target-model': 'nice.tar.gz' })
    const headers = { 'x-amzn-sagemaker-target-model': 'echo' }
    const answer = await ask('POST', '/models/abc/invoke', REQUEST, headers)
    expect(JSON.parse(answer.text).model_name).toBe('nice.tar.gz')
    expect((await ask('DELETE', '/models/abc')).status).toBe(200)
  })

  test('a model that came another way is none of the endpoint’s', async () => {
    await open()
    expect((await ask('POST', '/models/echo/invoke', REQUEST)).status).toBe(404)
    expect((await ask('DELETE', '/models/echo')).status).toBe(404)
    expect(hosts.server.modelReady('echo', '1')).toBe(true)
  })

  test.each([
    '/etc',
    '/proc/1/root',
    '/opt/ml/models',
    '/opt/ml/models/abc',
    '/opt/ml/models/abc/other',
    '/opt/ml/models/../model',
    '/opt/ml/models/abc/model/../../def/model',
    '/opt/ml/models/abc/model/..',
    '/opt/ml/models/abc/model/a/b',
    '/opt/ml/modelsx/abc/model',
    'opt/ml/models/abc/model',
    '/opt/ml/models/a%2e/model',
    '',
  ])('an archive at %j is a 400', async (url) => {
    await open({ archives })
    const body = JSON.stringify({ model_name: 'abc', url })
    const answer = await ask('POST', '/models', body)
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      400,
      {
        error: `Invalid "url" '${url}': expected a path of the form /opt/ml/models/<hash>/model[/<subdir>]`,
      },
    ])
  })

  test.each([
    ['', 'model name must not be empty'],
    ['{', 'failed to parse the request JSON buffer'],
    ['[]', 'model name must not be empty'],
    ['{"model_name":1}', 'string'],
    ['{"model_name":"../x","url":"/opt/ml/models/abc/model"}', 'path traversal'],
  ])('a body of %j is a 400', async (body, text) => {
    await open({ archives })
    const answer = await ask('POST', '/models', body)
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(text)
  })

  test('a load that fails leaves nothing behind, so that it can be tried again', async () => {
    let broken = true
    const onLoad = ({ name }: { readonly name: string }): void => {
      if (broken && name === 'abc') throw new ServerError('INTERNAL', 'no such operator')
    }
    await open({ archives, backend: { onLoad } })
    const failed = await load('abc')
    expect([failed.status, failed.text]).toEqual([400, expect.stringContaining('no such operator')])
    expect((await ask('GET', '/models')).text).toBe('{"models":[]}')
    broken = false
    expect((await load('abc')).status).toBe(200)
  })

  test('memory that is short is a 507, at a load, before it, and at an invocation', async () => {
    let short = false
    let full = false
    const onLoad = (): void => {
      if (short) throw new ServerError('INTERNAL', 'Failed to allocate memory for requested buffer')
    }
    const room = memoryRoom({ limit: 10_000, resident: () => (full ? 9_999 : 0) })
    const compute = () => new ServerError('INTERNAL', 'CUDA out of memory')
    await open({ archives, backend: { onLoad, compute }, room })
    short = true
    expect((await load('abc')).status).toBe(507)
    short = false
    full = true
    expect((await load('abc')).status).toBe(507)
    full = false
    expect((await load('abc')).status).toBe(200)
    expect((await ask('POST', '/models/abc/invoke', REQUEST)).status).toBe(507)
    expect((await ask('POST', '/invocations', REQUEST)).status).toBe(507)
  })

  test.each([
    ['PUT', '/models'],
    ['HEAD', '/models'],
    ['POST', '/models/abc'],
    ['PUT', '/models/abc/invoke'],
    ['POST', '/models/abc/invoke/x'],
    ['POST', '/modelsabc/invoke'],
    ['GET', '/models/abc/'],
  ])('%s %s is a 400 without a body', async (method, path) => {
    await open({ archives })
    const answer = await ask(method, path)
    expect([answer.status, answer.text]).toEqual([400, ''])
  })
})
