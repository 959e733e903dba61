import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { vertexModel } from '../../../adapters/vertex/default-model.ts'
import { send } from '../../helpers/http.ts'
import { type ServingHosts, serveHosts } from '../../helpers/serve-hosts.ts'

let hosts: ServingHosts
beforeAll(async () => {
  hosts = await serveHosts()
})
afterAll(() => hosts.close())

const ask = async (method: string, path: string, body: string | Uint8Array = '', headers = {}) => {
  const answer = await send({ url: hosts.vertex + path, method, body, headers })
  return { ...answer, text: answer.body.toString() }
}
const redirect = (to: string, body = '') =>
  ask('POST', '/predict', body, { 'x-vertex-ai-triton-redirect': to })
const REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
})

test('health and predictions have their routes, everything else is a 400', async () => {
  expect((await ask('GET', '/health')).status).toBe(200)
  expect((await ask('POST', '/health')).status).toBe(405)
  expect(JSON.parse((await ask('POST', '/predict', REQUEST)).text).model_name).toBe('echo')
  expect((await ask('GET', '/predict')).status).toBe(405)
  for (const path of ['/', '/v2', '/predict/', '/predict/x', '/metrics']) {
    expect([path, (await ask('GET', path)).status]).toEqual([path, 400])
  }
})

test('a content type with the length of the JSON part makes the rest of a prediction binary', async () => {
  const head = JSON.stringify({
    inputs: [
      { name: 'INPUT0', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } },
    ],
  })
  const body = Buffer.concat([Buffer.from(head), Buffer.from(Float32Array.of(1, 2).buffer)])
  const type = 'application/vnd.vertex-ai-triton.binary+json;json-header-size='
  const answer = await ask('POST', '/predict', body, { 'content-type': type + head.length })
  expect(JSON.parse(answer.text).outputs[0].data).toEqual([1, 2])
})

describe('a redirect', () => {
  test.each([
    ['v2', '"name":"triton"'],
    ['v2/health/live', ''],
    ['v2/models/echo', '"name":"echo"'],
    ['v2/models/echo/versions/1/config', '"max_batch_size":8'],
    ['v2/models/echo/stats', '"inference_count"'],
    ['v2/models/stats', '"name":"echo"'],
    ['v2/models/echo/ready', ''],
    ['v2/repository/index', '"state":"READY"'],
    ['v2/systemsharedmemory/status', '[]'],
    ['metrics', '{}'],
  ])('to %s is answered', async (to, text) => {
    const answer = await redirect(to)
    expect([to, answer.status]).toEqual([to, 200])
    expect(answer.text).toContain(text)
  })

  test('to another model is an inference with that model', async () => {
    expect((await redirect('v2/models/echo/infer', REQUEST)).text).toContain('"model_name":"echo"')
    expect((await redirect('v2/models/nope/infer', REQUEST)).status).toBe(404)
  })

  test.each([
    'v2/repository/models/echo/load',
    'v2/repository/models/echo/unload',
    'v2/systemsharedmemory/region/r/register',
    'v2/systemsharedmemory/unregister',
    'v2/cudasharedmemory/unregister',
  ])('to %s, which changes something, is a 403', async (to) => {
    expect((await redirect(to, '{}')).status).toBe(403)
    expect(hosts.server.modelReady('echo', '1')).toBe(true)
  })

  test.each([
    'v2/logging',
    'v2/trace/setting',
    'v2/models/echo/trace/setting',
    'v2/models/echo/generate',
    'v2/models/echo/traffic',
    'v2/models/../repository/models/echo/load',
    '/v2',
    '',
    'predict',
  ])('to %j is a 400', async (to) => {
    expect((await redirect(to, '{}')).status).toBe(400)
  })

  test('has to be posted', async () => {
    const headers = { 'x-vertex-ai-triton-redirect': 'v2' }
    expect((await ask('GET', '/predict', '', headers)).status).toBe(405)
  })
})

test('predictions go to the model that is named, or to the only one', async () => {
  const index = (...names: string[]) => ({ index: async () => names.map((name) => ({ name })) })
  expect(await vertexModel(index('a', 'b'), 'b')).toBe('b')
  expect(await vertexModel(index('a'), '')).toBe('a')
  await expect(vertexModel(index('a'), 'b')).rejects.toThrow("default model 'b' is loaded")
  await expect(vertexModel(index('a', 'b'), '')).rejects.toThrow(/only a single model/)
  await expect(vertexModel(index(), '')).rejects.toThrow(/only a single model/)
})

describe('predictions through the listener and through the app', () => {
  let app: ServingHosts
  beforeAll(async () => {
    app = await serveHosts({ viaApp: true })
  })
  afterAll(() => app.close())

  const TYPE = 'application/vnd.vertex-ai-triton.binary+json;json-header-size='
  const REDIRECT = 'x-vertex-ai-triton-redirect'
  const binaryOut = JSON.stringify({
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
    parameters: { binary_data_output: true },
  })
  const head = JSON.stringify({
    inputs: [
      { name: 'INPUT0', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } },
    ],
  })
  const binary = Buffer.concat([Buffer.from(head), Buffer.from(Float32Array.of(1, 2).buffer)])

  test.each<[string, string | Uint8Array, Record<string, string>]>([
    ['JSON', REQUEST, {}],
    ['an id', REQUEST.replace('{', '{"id":"x",'), {}],
    ['a redirect to an inference', REQUEST, { [REDIRECT]: 'v2/models/echo/infer' }],
    ['a redirect to a version', REQUEST, { [REDIRECT]: 'v2/models/echo/versions/1/infer' }],
    ['a redirect to no model', REQUEST, { [REDIRECT]: 'v2/models/none/infer' }],
    ['a redirect with a query', REQUEST, { [REDIRECT]: 'v2/models/echo/infer?x' }],
    ['a redirect to a load', '{}', { [REDIRECT]: 'v2/repository/models/echo/load' }],
    ['a redirect to nothing', '{}', { [REDIRECT]: '' }],
    ['binary tensors', binary, { 'content-type': TYPE + head.length }],
    ['binary tensors in the reply', binaryOut, {}],
    ['a length that is none', binary, { 'content-type': `${TYPE}x` }],
    ['a length that is too large', binary, { 'content-type': `${TYPE}9999` }],
    ['a type after something else', binary, { 'content-type': `text/${TYPE}1` }],
    ['no JSON', 'nonsense', {}],
    ['nothing', '', {}],
    [
      'encodings, which are not heard',
      REQUEST,
      { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' },
    ],
  ])('answer %s alike', async (_, body, headers) => {
    const outcome = async ({ vertex }: ServingHosts) => {
      const answer = await send({ url: `${vertex}/predict`, method: 'POST', body, headers })
      const fields = ['content-type', 'content-length', 'inference-header-content-length'].map(
        (name) => answer.headers[name],
      )
      return { status: answer.status, body: answer.body.toString('latin1'), fields }
    }
    for (let i = 0; i < 2; i++) expect(await outcome(hosts)).toEqual(await outcome(app))
  })
})
