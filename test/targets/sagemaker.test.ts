import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, type Child, ROOT, start, stopAll } from './child.ts'
import { type StartedTarget, targetSuite } from './suite.ts'

const SERVE = join(ROOT, 'dist/server/serve.js')
const TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size='
const folder = mkdtempSync(join(tmpdir(), 'nereid-sagemaker-'))
const models = join(folder, 'models')

/** An archive as SageMaker unpacks it: `<models>/<hash>/model/<name>`. */
function archive(name: string, hash: string = name): string {
  const path = join(models, hash, 'model')
  mkdirSync(path, { recursive: true })
  cpSync(join(ROOT, 'models', name), join(path, name), {
    recursive: true,
    filter: (file) => !/wine\/[2-9]/.test(file),
  })
  return path
}

interface Endpoint extends Child {
  readonly url: string
}

/** Runs `serve` as SageMaker does, but for the folders and the address. */
async function endpoint(env: Record<string, string>, more = ''): Promise<Endpoint> {
  const args = `--sagemaker-address=127.0.0.1 --sagemaker-models-folder=${models} --overload-lag-ms=0 ${more}`
  const all = { SAGEMAKER_BIND_TO_PORT: '0', SAGEMAKER_TRITON_ADDITIONAL_ARGS: args, ...env }
  const child = start([], all, SERVE)
  const [, address] = await child.line(/Started Sagemaker HTTPService at (127\.0\.0\.1:\d+)"/)
  return { ...child, url: `http://${address}` }
}

const MANY = { SAGEMAKER_MULTI_MODEL: 'true' }
const post = (url: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body: body as string, headers })
const load = ({ url }: { url: string }, hash: string, path: string) =>
  post(`${url}/models`, JSON.stringify({ model_name: hash, url: path }))

beforeAll(buildServer)
afterAll(async () => {
  await stopAll()
  rmSync(folder, { recursive: true, force: true })
})

/** What the suite asks of the REST routes, asked as SageMaker asks a container. */
async function throughSageMaker(url: string, init: RequestInit = {}): Promise<Response> {
  const { origin, pathname } = new URL(url)
  if (pathname.startsWith('/v2/health')) return fetch(`${origin}/ping`)
  const [, model, ready] = /^\/v2\/models\/([^/]+).*?(\/ready)?$/.exec(pathname) ?? []
  if (ready !== undefined) return fetch(`${origin}/models/${model}`)
  const { 'inference-header-content-length': size, ...rest } = (init.headers ?? {}) as Record<
    string,
    string
  >
  const headers = size === undefined ? rest : { ...rest, 'content-type': TYPE + size }
  const answer = await fetch(`${origin}/models/${model}/invoke`, { ...init, headers })
  const type = answer.headers.get('content-type') ?? ''
  if (!type.startsWith(TYPE)) return answer
  return new Response(await answer.arrayBuffer(), {
    status: answer.status,
    headers: { 'inference-header-content-length': type.slice(TYPE.length) },
  })
}

describe('many models on one endpoint', () => {
  afterAll(stopAll)
  targetSuite(
    'sagemaker',
    async (): Promise<StartedTarget> => {
      const server = await endpoint(MANY)
      for (const name of ['digits', 'iris', 'tumour', 'wine']) {
        expect((await load(server, name, archive(name))).status).toBe(200)
      }
      return {
        url: server.url,
        fetch: throughSageMaker,
        close: async () => {
          server.process.kill('SIGTERM')
          expect((await server.ended).code).toBe(0)
        },
      }
    },
    { only: 'inference', about: () => `serve on Node ${process.version}, multi-model` },
  )
})

describe('one model', () => {
  afterEach(stopAll)
  const single = (name: string): string => {
    const path = join(folder, `single-${name}`)
    mkdirSync(path, { recursive: true })
    cpSync(join(ROOT, 'models', name), join(path, name), { recursive: true })
    return path
  }
  const digit = readFileSync(join(ROOT, 'test/fixtures/digits/7.json'), 'utf8')

  test('is found, loaded, and answers', async () => {
    const server = await endpoint({ NEREID_SAGEMAKER_MODEL: single('digits') })
    expect((await fetch(`${server.url}/ping`)).status).toBe(200)
    const answer = await post(`${server.url}/invocations`, digit)
    expect(await answer.text()).toContain(':7:seven')
    expect(server.log()).toContain('serving digits, the only model there is')
    expect(server.log()).not.toContain('HTTPService at 0.0.0.0')
    expect(server.log()).not.toContain('Metrics Service')
  })

  test('generates, in one piece or as events, as the environment says', async () => {
    const env = { NEREID_SAGEMAKER_MODEL: single('repeat') }
    const request = JSON.stringify({ IN: [4, 5], DELAY: [0, 0], WAIT: 0 })
    const stream = await endpoint({ ...env, SAGEMAKER_TRITON_INFERENCE_TYPE: 'generate_stream' })
    const events = await post(`${stream.url}/invocations`, request)
    expect(events.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect((await events.text()).match(/"OUT":\d/g)).toEqual(['"OUT":4', '"OUT":5'])
    const whole = await endpoint({ ...env, SAGEMAKER_TRITON_INFERENCE_TYPE: 'generate' })
    const one = JSON.stringify({ IN: [4], DELAY: [0], WAIT: 0 })
    expect(await (await post(`${whole.url}/invocations`, one)).json()).toMatchObject({ OUT: 4 })
  })

  test('that cannot be told ends the start with the reason', async () => {
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    const none = start([], { NEREID_SAGEMAKER_MODEL: empty }, SERVE)
    expect(await none.ended).toMatchObject({
      code: 1,
      log: 'ERROR: No model found in model repository\n',
    })
    writeFileSync(join(empty, 'config.pbtxt'), '')
    const flat = await start([], { NEREID_SAGEMAKER_MODEL: empty }, SERVE).ended
    expect(flat.log).toContain('Incorrect directory structure.')
    const unsafe = { SAGEMAKER_SAFE_PORT_RANGE: '20000-20010', SAGEMAKER_TRITON_ALLOW_GRPC: 'true' }
    const ports = start([], { NEREID_SAGEMAKER_MODEL: single('digits'), ...unsafe }, SERVE)
    expect((await ports.ended).log).toContain('allowed port range is [20000, 20010]')
  })
})
