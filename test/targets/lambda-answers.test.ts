import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'
import { ROOT } from './child.ts'
import {
  type EmulatedFunction,
  type EmulatorOptions,
  emulate,
  NO_EMULATOR,
  type Unpacked,
  unpackedFunction,
} from './lambda/emulator.ts'
import { eventOf, responseOfStream } from './lambda/events.ts'
import { openFront } from './lambda/front.ts'
import { type RuntimeApi, runtimeApi } from './lambda/runtime-api.ts'

/** Where test/clients/setup.sh puts Triton's own client. */
const PYTHON = join(ROOT, '.cache/clients/venv/bin/python')
const SEVEN = readFileSync(new URL('../fixtures/digits/7.json', import.meta.url), 'utf8')

/** Four bytes each on the way in; as JSON they are long on the way out. */
function longAnswer(): RequestInit {
  const data = new Float32Array(600_000).fill(0.1234567)
  const parameters = { binary_data_size: data.byteLength }
  const input = { name: 'INPUT0', datatype: 'FP32', shape: [1, data.length], parameters }
  const head = JSON.stringify({ inputs: [input] })
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    },
    body: Buffer.concat([Buffer.from(head), Buffer.from(data.buffer)]),
  }
}

describe.skipIf(NO_EMULATOR !== undefined)('a function in Lambda’s emulator', () => {
  let unpacked: Unpacked
  let models: string
  const running: EmulatedFunction[] = []
  const start = async (options: Partial<EmulatorOptions> = {}): Promise<EmulatedFunction> => {
    const env = { NEREID_MODEL_REPOSITORY: models, ...options.env }
    const one = await emulate({ function: unpacked, front: 'function URL', ...options, env })
    running.push(one)
    return one
  }
  const model = (name: string, config: string, files: Record<string, string> = {}): void => {
    mkdirSync(join(models, name, '1'), { recursive: true })
    writeFileSync(join(models, name, 'config.pbtxt'), config)
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(models, name, '1', file), text)
    }
  }
  const identity = (extra: string): string =>
    `backend: "identity" max_batch_size: 8 ${extra}
     input { name: "INPUT0" data_type: TYPE_FP32 dims: -1 }
     output { name: "OUTPUT0" data_type: TYPE_FP32 dims: -1 }`
  const row = (n: number): object => ({
    name: 'INPUT0',
    datatype: 'FP32',
    shape: [1, n],
    data: Array(n).fill(0.123456),
  })
  const infer = (
    to: EmulatedFunction,
    name: string,
    body: object | string,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    to.fetch(`${to.url}/v2/models/${name}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  beforeAll(() => {
    unpacked = unpackedFunction()
    models = mkdtempSync(join(tmpdir(), 'nereid-models-'))
    cpSync(join(ROOT, 'models/digits'), join(models, 'digits'), { recursive: true })
    cpSync(join(ROOT, 'models/repeat'), join(models, 'repeat'), { recursive: true })
    const slow = 'parameters { key: "execute_delay_ms" value { string_value: "20000" } }'
    model('slow', identity(slow))
    const wait =
      'dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 15000000 }'
    model('waiting', identity(wait))
  })
  afterEach(async () => {
    for (const one of running.splice(0)) await one.close()
  })
  afterAll(() => {
    unpacked?.remove()
    rmSync(models, { recursive: true, force: true })
  })

  test('answers its first request soon after nothing ran, with the model of digits alone', async () => {
    const only = mkdtempSync(join(tmpdir(), 'nereid-digits-'))
    cpSync(join(ROOT, 'models/digits'), join(only, 'digits'), { recursive: true })
    const times: number[] = []
    for (let i = 0; i < 3; i++) {
      const fn = await start({ env: { NEREID_MODEL_REPOSITORY: only } })
      const begin = performance.now()
      expect((await infer(fn, 'digits', SEVEN)).status).toBe(200)
      times.push(Math.round(performance.now() - begin))
    }
    rmSync(only, { recursive: true })
    const middle = times.sort((a, b) => a - b)[1]
    console.log(`lambda: cold start to the first answer ${middle} ms (of ${times.join(', ')})`)
  })

  test('an event that is no request over HTTP is answered in words', async () => {
    const fn = await start()
    for (const event of [{}, { source: 'aws.events' }, { Records: [] }]) {
      const { statusCode, body } = JSON.parse((await fn.invoke(event)).toString())
      expect(statusCode).toBe(400)
      expect(JSON.parse(body).error).toMatch(/^the event is no request over HTTP/)
    }
    expect((await infer(fn, 'digits', SEVEN)).status).toBe(200)
  })

  for (const handler of ['handler', 'stream'] as const) {
    test.skipIf(!existsSync(PYTHON))(
      `Triton’s own client needs no change, with index.${handler}`,
      async () => {
        const fn = await start({ handler })
        const front = await openFront(fn)
        const script = fileURLToPath(new URL('lambda/triton_client.py', import.meta.url))
        const digits = fileURLToPath(new URL('../fixtures/digits', import.meta.url))
        const { stdout } = await promisify(execFile)(PYTHON, [script, front.address, digits])
        await front.close()
        expect(stdout).toContain("Request for unknown model: 'nope' is not found")
        expect(stdout).toContain('[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]')
      },
    )
  }

  test('a request that would outlast the function is answered 504, and the next one runs', async () => {
    const fn = await start({ timeoutSecs: 2 })
    const late = await infer(fn, 'slow', { inputs: [row(1)] })
    expect([late.status, await late.json()]).toEqual([
      504,
      { error: 'the request did not end within the time limit of the function' },
    ])
    expect((await infer(fn, 'digits', SEVEN)).status).toBe(200)
    expect(fn.log().match(/INIT START/g)).toHaveLength(1)
  })

  test('an answer that Lambda would not pass on is 413', async () => {
    const fn = await start()
    const answer = await fn.fetch(`${fn.url}/v2/models/waiting/infer`, longAnswer())
    expect([answer.status, await answer.json()]).toEqual([
      413,
      { error: expect.stringMatching(/^the response is more than the 6291456 bytes/) },
    ])
  })

  test('binary tensors that came as text are refused before a model sees them', async () => {
    const fn = await start()
    const head = JSON.stringify({
      inputs: [
        { name: 'INPUT0', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 } },
      ],
    })
    const body = Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xfe, 0x80, 0x3f])])
    const answer = await fn.fetch(`${fn.url}/v2/models/waiting/infer`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'inference-header-content-length': String(head.length),
      },
      body,
    })
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: expect.stringMatching(/^binary tensors came as text/) },
    ])
  })

  test('what was done is told to CloudWatch, as differences', async () => {
    const fn = await start({ env: { AWS_LAMBDA_FUNCTION_NAME: 'my-models' } })
    for (let i = 0; i < 105; i++) await infer(fn, 'waiting', { inputs: [row(1)] })
    const lines = fn
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{"_aws"'))
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({
      _aws: { CloudWatchMetrics: [{ Dimensions: [['FunctionName', 'Model', 'Version']] }] },
      FunctionName: 'my-models',
      Model: 'waiting',
      Version: '1',
      Requests: 1,
      Inferences: 1,
      Executions: 1,
      Failures: 0,
    })
    const told = lines.reduce((sum, line) => sum + line.Requests, 0)
    expect(told).toBeGreaterThanOrEqual(100)
    for (const { RequestTime } of lines) expect(RequestTime.length).toBeLessThanOrEqual(100)
  })

  describe('as the runtime API sees it', () => {
    let api: RuntimeApi
    afterEach(() => api.close())
    const ask = async (path: string, init: RequestInit) => {
      const url = `https://function.test${path}`
      const { task, layer } = unpacked
      api = await runtimeApi({ task, layer, handler: 'stream', models })
      return api.invoke(await eventOf('function URL', new Request(url, init)))
    }

    test('events of a model leave as they come', async () => {
      const { body, mode } = await ask('/v2/models/repeat/generate_stream', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ IN: [1, 2], DELAY: [0, 1500], WAIT: [0] }),
      })
      expect(mode).toBe('streaming')
      let early = ''
      let whole = ''
      for await (const part of body) {
        whole += part
        if (early === '' && whole.includes('data: ')) early = whole
      }
      expect(early).toContain('"OUT":1')
      expect(early).not.toContain('"OUT":2')
      expect(whole).toContain('"OUT":2')
      expect(whole).toContain('text/event-stream')
    })

    test('an answer of more than 6 MB goes through', async () => {
      const { body } = await ask('/v2/models/waiting/infer', longAnswer())
      const parts: Buffer[] = []
      for await (const part of body) parts.push(part)
      const answer = responseOfStream(Buffer.concat(parts))
      const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] }
      expect([answer.status, outputs[0]?.data.length]).toEqual([200, 600_000])
    })
  })

  test('who may ask what is decided as on a server with ports', async () => {
    const fn = await start({
      env: { NEREID_HTTP_RESTRICTED_API: 'model-repository,shared-memory:admin=secret' },
    })
    const index = (headers: Record<string, string>): Promise<Response> =>
      fn.fetch(`${fn.url}/v2/repository/index`, { method: 'POST', headers })
    expect((await index({})).status).toBe(403)
    expect((await index({ admin: 'wrong' })).status).toBe(403)
    expect((await index({ admin: 'secret' })).status).toBe(200)
    expect((await infer(fn, 'digits', SEVEN)).status).toBe(200)
  })

  test('a model that does not load is a failed init, with the reason in the log', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'nereid-broken-'))
    mkdirSync(join(broken, 'wrong/1'), { recursive: true })
    writeFileSync(join(broken, 'wrong/1/model.onnx'), 'no model')
    const fn = await start({ env: { NEREID_MODEL_REPOSITORY: broken } })
    await fn.invoke({})
    expect(fn.log()).toMatch(/creating server: failed to load all models: .*'wrong'/)
    expect(fn.log()).toMatch(/Init Error.*failed to load all models/)
    rmSync(broken, { recursive: true })
  })

  describe.skipIf(NO_S3 !== undefined)('with its models on S3', () => {
    let s3: TestS3
    beforeAll(async () => {
      s3 = await testS3()
      for (const file of ['config.pbtxt', 'labels.txt', 'digit_labels.txt', '1/model.onnx']) {
        const path = join(ROOT, 'models/digits', file)
        if (existsSync(path)) await s3.put(`repo/digits/${file}`, readFileSync(path))
      }
    })
    afterAll(() => s3?.stop())

    test('they are brought to /tmp during init', async () => {
      const fn = await start({
        env: { ...s3.env, AWS_REGION: 'us-east-1', NEREID_MODEL_REPOSITORY: `${s3.root}/repo` },
      })
      expect((await infer(fn, 'digits', SEVEN)).status).toBe(200)
      expect(fn.log()).toContain("successfully loaded 'digits'")
    })
  })
})
