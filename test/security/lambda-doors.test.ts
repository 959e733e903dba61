import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseArguments } from '../../adapters/cli/parse.ts'
import { bufferedHandler } from '../../adapters/lambda/buffered.ts'
import type { HttpResult } from '../../adapters/lambda/types.ts'
import { nodePlatform } from '../../adapters/platform/node.ts'
import { functionLimits, openFunction } from '../../adapters/targets/lambda/function.ts'
import { REQUIREMENT_OF } from '../../core/access/scopes.ts'
import { CATEGORY_OF } from '../../core/operations.ts'
import { ROUTES } from '../../core/protocol/rest/routes.ts'
import { hashed } from '../helpers/keys.ts'
import { eventOf, type Front } from '../targets/lambda/events.ts'

const FRONTS: readonly Front[] = ['function URL', 'HTTP API', 'REST API', 'load balancer']
const PARAMS: Readonly<Record<string, string>> = {
  ':model': 'echo',
  ':version': '1',
  ':region': 'r',
  ':repository': 'models',
}
const WAYS = ROUTES.flatMap(({ path, methods, operation }) =>
  methods.map((method) => ({
    method,
    path: path.replace(/:\w+/g, (name) => PARAMS[name] ?? name),
    operation,
  })),
)
const folder = mkdtempSync(join(tmpdir(), 'nereid-lambda-doors-'))

type Fields = Readonly<Record<string, string>>
/** Asks through a front as the next address that asks. */
type Ask = (
  front: Front,
  way: { method: string; path: string; body?: string },
  headers?: Fields,
) => Promise<HttpResult>

/** The function that its environment makes, without Lambda around it. */
async function functionOf(env: Fields): Promise<Ask> {
  const all = {
    NEREID_MODEL_REPOSITORY: folder,
    NEREID_MODEL_CONTROL_MODE: 'explicit',
    NEREID_LOG_INFO: 'false',
    ...env,
  }
  const parsed = parseArguments({ argv: [], env: all, program: 'nereid' })
  if (parsed.kind !== 'serve') throw new Error(JSON.stringify(parsed))
  const { options } = parsed
  const platform = nodePlatform({ settings: options.log })
  const { rest } = await openFunction({ options, platform, env: all })
  const limits = functionLimits(options)
  const answer = bufferedHandler({
    rest: Promise.resolve(rest),
    limits,
    pathPrefix: '',
    answered: () => {},
  })
  let asked = 0
  return async (front, { method, path, body = method === 'POST' ? '{}' : null }, headers = {}) => {
    const request = new Request('https://function.test', { method, headers, body })
    const event = await eventOf(front, request)
    const address = `198.51.100.${(asked++ % 250) + 1}`
    return answer(asWritten(event, path, address), { getRemainingTimeInMillis: () => 60_000 })
  }
}

/** `event` with a path that no reader of URLs has made another one. */
function asWritten(event: object, path: string, address: string): object {
  const { rawPath, requestContext, ...rest } = event as {
    rawPath?: string
    requestContext: { http?: object; stage?: string }
  }
  if (rawPath === undefined) return { ...rest, requestContext, path }
  const { http, stage } = requestContext
  return {
    ...rest,
    rawPath: stage === 'prod' ? `/prod${path}` : path,
    requestContext: { ...requestContext, http: { ...http, sourceIp: address } },
  }
}

const isRestricted = ({ statusCode, body }: HttpResult): boolean =>
  statusCode === 403 && body.includes('is restricted, expecting header')

beforeAll(() => {
  mkdirSync(join(folder, 'echo/1'), { recursive: true })
  const config = `backend: "identity" max_batch_size: 8
    input { name: "INPUT0" data_type: TYPE_FP32 dims: -1 }
    output { name: "OUTPUT0" data_type: TYPE_FP32 dims: -1 }`
  writeFileSync(join(folder, 'echo/config.pbtxt'), config)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a function with every API restricted', () => {
  let ask: Ask
  beforeAll(async () => {
    const apis = [...new Set(Object.values(CATEGORY_OF))].join()
    ask = await functionOf({ NEREID_HTTP_RESTRICTED_API: `${apis}:x-door=right` })
  })

  test.each(FRONTS)('answers a %s only with the right header', async (front) => {
    for (const way of WAYS) {
      const without = await ask(front, way)
      const wrong = await ask(front, way, { 'x-door': 'wrong' })
      const right = await ask(front, way, { 'x-door': 'right' })
      const outcomes = [without, wrong, right].map(isRestricted)
      expect([way.method, way.path, ...outcomes]).toEqual([way.method, way.path, true, true, false])
    }
  })

  test.each([
    '//v2/repository/index',
    '/v2//repository/index',
    '/./v2/repository/index',
    '/x/../v2/repository/index',
    '/x/%2e%2e/v2/repository/index',
    '/v2%2frepository/index',
    '/v2/repository/index/',
    '/V2/repository/index',
    '/prod/v2/repository/index',
    '/v2/repository/index?',
    '/v2/repository/index#',
    '/v2/repository/index%00',
  ])('finds no way around at %s', async (path) => {
    for (const front of FRONTS) {
      const { statusCode } = await ask(front, { method: 'POST', path })
      expect([front, statusCode >= 400 && statusCode < 500, statusCode]).toEqual([
        front,
        true,
        statusCode,
      ])
    }
  })
})

describe('a function with a key file', () => {
  let ask: Ask
  beforeAll(async () => {
    const path = join(folder, 'keys.json')
    const keys = [
      { id: 'owner', scopes: ['*'] },
      { id: 'other', scopes: ['metrics'] },
    ]
    writeFileSync(path, JSON.stringify(keys.map(hashed)))
    ask = await functionOf({ NEREID_AUTH_FILE: path })
  })

  test('answers every route only to a key that may', async () => {
    const bearer = (key: string): Fields => ({ authorization: `Bearer ${key}` })
    for (const way of WAYS) {
      const requirement = REQUIREMENT_OF[way.operation]
      const none = requirement === 'open' ? 'answered' : 401
      const other = requirement === 'open' || requirement === 'key' ? 'answered' : 403
      const outcomes: (number | 'answered')[] = []
      for (const key of ['', 'wrong', 'key:other', 'key:owner']) {
        const headers = key === '' ? {} : bearer(key)
        const { statusCode } = await ask('function URL', way, headers)
        outcomes.push(statusCode === 401 || statusCode === 403 ? statusCode : 'answered')
      }
      expect([way.method, way.path, ...outcomes]).toEqual([
        ...[way.method, way.path, none, none, other],
        'answered',
      ])
    }
  })
})

test('a load request cannot say where a model comes from', async () => {
  const asked: string[] = []
  const trap = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(trap, 'listening')
  const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`
  const ask = await functionOf({})
  const load = (name: string, parameters: object): Promise<HttpResult> => {
    const path = `/v2/repository/models/${name}/load`
    const body = JSON.stringify({ parameters })
    return ask(
      'function URL',
      { method: 'POST', path, body },
      { 'content-type': 'application/json' },
    )
  }
  for (const root of [url, `s3://${url}/bucket`, 'file:///etc', 'http://169.254.169.254/']) {
    expect((await load(encodeURIComponent(root), {})).statusCode).toBe(400)
    for (const name of ['url', 'model_repository', 'repository', 'path', 'model_url']) {
      expect((await load('other', { [name]: root })).statusCode).toBe(400)
    }
    const file = { 'file:1/model.onnx': root, config: '{}' }
    expect((await load('echo', file)).statusCode).toBe(400)
  }
  expect(asked).toEqual([])
  trap.close()
})
