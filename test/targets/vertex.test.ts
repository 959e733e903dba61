import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NO_GCS, testGcs } from '../helpers/gcs-server.ts'
import { buildServer, ROOT, start, stopAll } from './child.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

if (NO_GCS !== undefined)
  console.log(`skipped: Vertex AI's models on Google Cloud Storage: ${NO_GCS}`)
const TYPE = 'application/vnd.vertex-ai-triton.binary+json;json-header-size='
const repository = targetRepository()
const env = {
  AIP_MODE: 'PREDICTION',
  AIP_HTTP_PORT: '0',
  AIP_PREDICT_ROUTE: '/v1/endpoints/1/deployedModels/2:predict',
  AIP_HEALTH_ROUTE: '/v1/endpoints/1/deployedModels/2',
  AIP_STORAGE_URI: repository.folder,
}
const FLAGS = [
  '--vertex-ai-address=127.0.0.1',
  '--metrics-address=127.0.0.1',
  '--metrics-port=0',
  '--overload-lag-ms=0',
]

beforeAll(buildServer)
afterAll(async () => {
  await stopAll()
  repository.remove()
})

/** What the suite asks of the REST routes, asked as Vertex AI asks a container. */
function throughVertex(url: string, init: RequestInit = {}): Promise<Response> {
  const { origin, pathname } = new URL(url)
  if (pathname === '/v2/health/ready') return fetch(origin + env.AIP_HEALTH_ROUTE)
  const { 'inference-header-content-length': size, ...rest } = (init.headers ?? {}) as Record<
    string,
    string
  >
  const headers = {
    ...rest,
    'x-vertex-ai-triton-redirect': pathname.slice(1),
    ...(size === undefined ? {} : { 'content-type': TYPE + size }),
  }
  return fetch(origin + env.AIP_PREDICT_ROUTE, { ...init, method: 'POST', headers })
}

targetSuite(
  'vertex',
  async () => {
    const flags = ['--vertex-ai-default-model=digits', '--model-control-mode=poll']
    const server = start([...FLAGS, ...flags, '--repository-poll-secs=1'], env)
    const [, address] = await server.line(/Started Vertex AI HTTPService at (127\.0\.0\.1:\d+)"/)
    return {
      url: `http://${address}`,
      fetch: throughVertex,
      close: async () => {
        server.process.kill('SIGTERM')
        const { code, log } = await server.ended
        expect(code).toBe(0)
        expect(log).not.toMatch(/Started (HTTPService|GRPC)/)
      },
    }
  },
  { update: () => repository.addWine(), about: () => `Node ${process.version}, by redirects` },
)

test('a start without its routes or its model is one clear line', async () => {
  const several = await start(FLAGS, env).ended
  expect(several.code).toBe(1)
  expect(several.log).toContain(
    'failed to start Vertex AI service: Invalid argument - Expect the model repository contains only a single model if default model is not specified',
  )
  const model = [...FLAGS, '--vertex-ai-default-model=nope']
  expect((await start(model, env).ended).log).toContain("Expect the default model 'nope' is loaded")
  const { AIP_PREDICT_ROUTE: _, ...without } = env
  expect((await start(FLAGS, without).ended).log).toContain('API_PREDICT_ROUTE is not defined')
})

test.skipIf(NO_GCS !== undefined)(
  'models come from where AIP_STORAGE_URI says, which is Google Cloud Storage',
  async () => {
    const gcs = await testGcs()
    const cache = mkdtempSync(join(tmpdir(), 'nereid-vertex-'))
    try {
      for (const file of ['config.pbtxt', 'labels.txt', '1/model.onnx']) {
        await gcs.put(`artifacts/digits/${file}`, readFileSync(join(ROOT, 'models/digits', file)))
      }
      const server = start(FLAGS, {
        ...env,
        ...gcs.env,
        AIP_STORAGE_URI: `gs://${gcs.bucket}/artifacts`,
        NEREID_REPOSITORY_CACHE_DIRECTORY: cache,
      })
      const [, address] = await server.line(/Started Vertex AI HTTPService at (127\.0\.0\.1:\d+)"/)
      const answer = await fetch(`http://${address}${env.AIP_PREDICT_ROUTE}`, {
        method: 'POST',
        body: readFileSync(join(ROOT, 'test/fixtures/digits/7.json')),
      })
      expect([answer.status, await answer.json()]).toEqual([
        200,
        expect.objectContaining({ model_name: 'digits' }),
      ])
    } finally {
      await gcs.stop()
      rmSync(cache, { recursive: true, force: true })
    }
  },
)
