import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { restrictedAccess } from '../../core/access/restrictions.ts'
import { REQUIREMENT_OF } from '../../core/access/scopes.ts'
import type { Access } from '../../core/access/types.ts'
import { CATEGORY_OF, type Operation } from '../../core/operations.ts'
import { send } from '../helpers/http.ts'
import { testKeys } from '../helpers/keys.ts'
import { ECHO_ARCHIVE, type ServingHosts, serveHosts } from '../helpers/serve-hosts.ts'

/** One way to ask for one operation through the front of a host. */
interface Way {
  readonly name: string
  readonly host: 'sagemaker' | 'vertex'
  readonly operation: Operation
  readonly method: string
  readonly path: string
  readonly redirect?: string
}

const sagemaker = (operation: Operation, method: string, path: string): Way => ({
  name: `SageMaker's ${method} ${path}`,
  host: 'sagemaker',
  operation,
  method,
  path,
})
const vertex = (operation: Operation, redirect?: string): Way => ({
  name: `Vertex AI's prediction${redirect === undefined ? '' : ` of ${redirect}`}`,
  host: 'vertex',
  operation,
  method: 'POST',
  path: '/predict',
  ...(redirect === undefined ? {} : { redirect }),
})

const WAYS: readonly Way[] = [
  sagemaker('server-ready', 'GET', '/ping'),
  sagemaker('infer', 'POST', '/invocations'),
  sagemaker('repository-index', 'GET', '/models'),
  sagemaker('repository-index', 'GET', '/models/'),
  sagemaker('repository-index', 'GET', '/models/here'),
  sagemaker('repository-index', 'GET', '/models/nowhere'),
  sagemaker('infer', 'POST', '/models/here/invoke'),
  sagemaker('infer', 'POST', '/models/nowhere/invoke'),
  sagemaker('model-load', 'POST', '/models'),
  sagemaker('model-unload', 'DELETE', '/models/nowhere'),
  vertex('infer'),
  vertex('server-live', 'v2/health/live'),
  vertex('server-ready', 'v2/health/ready'),
  vertex('server-metadata', 'v2'),
  vertex('model-metadata', 'v2/models/echo'),
  vertex('model-ready', 'v2/models/echo/ready'),
  vertex('model-ready', 'v2/models/echo/versions/1/ready'),
  vertex('model-config', 'v2/models/echo/config'),
  vertex('model-stats', 'v2/models/echo/stats'),
  vertex('model-stats', 'v2/models/stats'),
  vertex('infer', 'v2/models/echo/infer'),
  vertex('repository-index', 'v2/repository/index'),
  vertex('system-shm-status', 'v2/systemsharedmemory/status'),
  vertex('cuda-shm-status', 'v2/cudasharedmemory/region/r/status'),
]

type Outcome = 'answered' | 'restricted' | 'unauthenticated' | 'forbidden'

let hosts: ServingHosts

async function ask(way: Way, headers: Readonly<Record<string, string>>): Promise<Outcome> {
  const redirect =
    way.redirect === undefined ? undefined : { 'x-vertex-ai-triton-redirect': way.redirect }
  const { status, body } = await send({
    url: hosts[way.host] + way.path,
    method: way.method,
    body: way.method === 'POST' ? '{}' : '',
    headers: { ...redirect, ...headers },
  })
  if (status === 401) return 'unauthenticated'
  if (status !== 403) return 'answered'
  return body.toString().includes('is restricted, expecting header') ? 'restricted' : 'forbidden'
}

function behind(access: Access | undefined, viaApp: boolean): void {
  beforeAll(async () => {
    hosts = await serveHosts({ archives: { here: ECHO_ARCHIVE }, doors: { access }, viaApp })
    await hosts.models.load({ hash: 'here', name: 'here', url: '/opt/ml/models/here/model' })
  })
  afterAll(() => hosts.close())
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
/** Who answers SageMaker's inferences. */
const ROUTES = [
  ['listener', false],
  ['app', true],
] as const
const groups = [...new Set(Object.values(CATEGORY_OF))]

describe.each(ROUTES)('with every API restricted, inferred by the %s', (_, viaApp) => {
  const restriction = { apis: groups, key: 'x-door', value: 'right' }
  behind(restrictedAccess({ http: [restriction], grpc: [] }), viaApp)
  test.each(WAYS)('$name answers only with the right header', async (way) => {
    expect(await ask(way, {})).toBe('restricted')
    expect(await ask(way, { 'x-door': 'wrong' })).toBe('restricted')
    expect(await ask(way, { 'x-door': 'right' })).toBe('answered')
  })
})

describe.each(ROUTES)('with a key file, inferred by the %s', (_, viaApp) => {
  const keys = testKeys([
    { id: 'owner', scopes: ['*'] },
    { id: 'other', scopes: ['metrics'] },
    { id: 'elsewhere', scopes: ['infer:elsewhere', 'read:elsewhere', 'control:elsewhere'] },
  ])
  behind(keys.access, viaApp)
  // Wrong keys in a row would be told to wait.
  beforeEach(() => keys.clock.advance(1e9))

  test.each(WAYS)('$name answers only to a key that may', async (way) => {
    const requirement = REQUIREMENT_OF[way.operation]
    const none = requirement === 'open' ? 'answered' : 'unauthenticated'
    const other = requirement === 'open' || requirement === 'key' ? 'answered' : 'forbidden'
    expect(await ask(way, {})).toBe(none)
    expect(await ask(way, bearer('wrong'))).toBe(none)
    expect(await ask(way, bearer('key:other'))).toBe(other)
    expect(await ask(way, bearer('key:owner'))).toBe('answered')
  })

  test('a key for one model neither sees, asks, loads nor unloads another', async () => {
    const key = bearer('key:elsewhere')
    const request = (method: string, path: string, body = '', more = {}) =>
      send({ url: hosts.sagemaker + path, method, body, headers: { ...key, ...more } })
    expect((await request('GET', '/models')).body.toString()).toBe('{"models":[]}')
    expect((await request('GET', '/models/here')).status).toBe(403)
    expect((await request('POST', '/models/here/invoke', '{}')).status).toBe(403)
    expect((await request('DELETE', '/models/here')).status).toBe(403)
    const load = (name: string, more = {}) => {
      const url = `/opt/ml/models/${name}/model`
      return request('POST', '/models', JSON.stringify({ model_name: name, url }), more)
    }
    expect((await load('there')).status).toBe(403)
    // What counts is the name that the server would know it by, which another header says.
    const renamed = { 'x-amzn-sagemaker-target-model': 'there' }
    expect((await load('elsewhere', renamed)).status).toBe(403)
    expect((await load('elsewhere')).status).toBe(400)
    expect(hosts.models.get('here')).toBeDefined()
  })

  test('a key for one model reaches no other through a redirect', async () => {
    const headers = {
      ...bearer('key:elsewhere'),
      'x-vertex-ai-triton-redirect': 'v2/models/echo/config',
    }
    const { status } = await send({ url: `${hosts.vertex}/predict`, method: 'POST', headers })
    expect(status).toBe(403)
  })
})

test('neither front lets a request through to the routes behind it', async () => {
  const open = await serveHosts()
  try {
    for (const path of ['/v2', '/v2/health/ready', '/v2/models/echo', '/metrics', '//ping', '/']) {
      for (const url of [open.sagemaker, open.vertex]) {
        expect([path, (await send({ url: url + path })).status]).toEqual([path, 400])
      }
    }
    const infer = { method: 'POST', body: '{}' }
    const raw = await send({ url: `${open.sagemaker}/v2/models/echo/infer`, ...infer })
    expect([raw.status, raw.body.length]).toEqual([400, 0])
  } finally {
    await open.close()
  }
})
