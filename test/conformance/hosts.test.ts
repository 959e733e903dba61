import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, ROOT, start, stopAll } from '../targets/child.ts'
import { bodyOf, readCases } from './cases.ts'
import { type HostForm, hostProxy, SAGEMAKER, VERTEX } from './host-proxy.ts'
import { replay, summary } from './replay.ts'

const RECORDED = join(ROOT, 'test/fixtures/recorded/repository')
const folder = mkdtempSync(join(tmpdir(), 'nereid-hosts-'))
const FLAGS = [
  '--cache-config=local,size=1048576',
  '--overload-lag-ms=0',
  '--allow-http=false',
  '--allow-grpc=false',
  '--allow-metrics=false',
]

/** Cases that depend on loads and unloads before them, which hosts do not carry. */
const AFTER_CONTROL: ReadonlySet<string> = new Set([
  'unloaded infer',
  'three rows are too many now',
  'infer on the version that is gone',
  'infer on a version after unload',
])

/** Inferences that a host can carry: unpacked, and with a length that is one. */
const CASES = ['http.json', 'more.json']
  .flatMap(readCases)
  .filter(
    ({ method, path, headers, ...recorded }) =>
      method === 'POST' &&
      !AFTER_CONTROL.has(recorded.name) &&
      /^\/v2\/models\/[^/]+(\/versions\/\d+)?\/infer$/.test(path) &&
      !Object.keys(headers).some((name) => /encoding/i.test(name)) &&
      !bodyOf({ method, path, headers, ...recorded }).includes('shared_memory') &&
      Object.entries(headers).every(
        ([name, value]) => !/inference-header/i.test(name) || /^\d{1,6}$/.test(value),
      ),
  )

beforeAll(buildServer)
afterAll(async () => {
  await stopAll()
  rmSync(folder, { recursive: true, force: true })
})

async function expectRecorded(
  name: string,
  url: string,
  form: HostForm,
  cases: typeof CASES,
): Promise<void> {
  const proxy = await hostProxy(url, form)
  try {
    const outcomes = await replay(proxy.url, cases)
    console.log(summary(name, outcomes).split('\n')[0])
    const problems = outcomes.flatMap(({ recorded, verdict }) =>
      verdict.problems.map((problem) => `${recorded.name}: ${problem}`),
    )
    expect(problems).toEqual([])
  } finally {
    proxy.close()
  }
}

describe('recorded inferences of Triton 2.51', () => {
  test('through Vertex AI’s redirects', { timeout: 120_000 }, async () => {
    const repository = join(folder, 'repository')
    cpSync(RECORDED, repository, { recursive: true })
    const env = { AIP_MODE: 'PREDICTION', AIP_PREDICT_ROUTE: '/predict', AIP_HEALTH_ROUTE: '/h' }
    const more = ['--vertex-ai-address=127.0.0.1', '--vertex-ai-port=0']
    const model = ['--vertex-ai-default-model=addsub_fp32', `--model-repository=${repository}`]
    const server = start([...FLAGS, ...more, ...model], env)
    const [, address] = await server.line(/Started Vertex AI HTTPService at ([\d.:]+)"/)
    expect(CASES.length).toBeGreaterThan(150)
    await expectRecorded('Vertex AI', `http://${address}`, VERTEX, CASES)
  })

  test('through SageMaker’s multi-model endpoint', { timeout: 120_000 }, async () => {
    const models = join(folder, 'models')
    const names = new Set(readdirSync(RECORDED))
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    const server = start([
      ...FLAGS,
      '--allow-sagemaker=true',
      '--sagemaker-address=127.0.0.1',
      '--sagemaker-port=0',
      `--sagemaker-models-folder=${models}`,
      '--model-control-mode=explicit',
      `--model-repository=${empty}`,
    ])
    const [, address] = await server.line(/Started Sagemaker HTTPService at ([\d.:]+)"/)
    const url = `http://${address}`
    // A path that names a version, or a model that is not there, is none that SageMaker has.
    const cases = CASES.filter(({ path }) => names.has(path.split('/')[3] ?? '')).filter(
      ({ path }) => !path.includes('/versions/'),
    )
    for (const name of new Set(cases.map(({ path }) => path.split('/')[3] ?? ''))) {
      for (const part of [name, ...partsOf(name)]) {
        cpSync(join(RECORDED, part), join(models, name, 'model', part), { recursive: true })
      }
      const body = JSON.stringify({ model_name: name, url: join(models, name, 'model') })
      const loaded = await fetch(`${url}/models`, { method: 'POST', body })
      expect([name, loaded.status, await loaded.text()]).toEqual([name, 200, ''])
    }
    expect(cases.length).toBeGreaterThan(100)
    await expectRecorded('SageMaker', url, SAGEMAKER, cases)
  })
})

/** Models that an ensemble is made of. */
function partsOf(name: string): readonly string[] {
  let config = ''
  try {
    config = readFileSync(join(RECORDED, name, 'config.pbtxt'), 'utf8')
  } catch {
    // Models without a config are no ensembles.
  }
  const parts = [...config.matchAll(/model_name: "([^"]+)"/g)].map(([, part]) => part ?? '')
  return [...new Set(parts.flatMap((part) => [part, ...partsOf(part)]))]
}
