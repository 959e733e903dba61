import { describe, expect, it } from 'vitest'
import { CATEGORY_OF } from '../../../../core/operations.ts'
import { MAX_PATH_LENGTH, matchRoute } from '../../../../core/protocol/rest/match-route.ts'
import { ROUTES } from '../../../../core/protocol/rest/routes.ts'

const resolve = (method: string, path: string): unknown => {
  const match = matchRoute(method, path)
  return typeof match === 'number' ? match : [match.operation, match.params]
}

describe('a path', () => {
  it.each([
    ['GET', '/v2', 'server-metadata', {}],
    ['GET', '/v2/health/live', 'server-live', {}],
    ['GET', '/v2/health/ready', 'server-ready', {}],
    ['GET', '/v2/models/m', 'model-metadata', { model: 'm' }],
    ['GET', '/v2/models/m/versions/3', 'model-metadata', { model: 'm', version: '3' }],
    ['GET', '/v2/models/m/ready', 'model-ready', { model: 'm' }],
    ['GET', '/v2/models/m/versions/3/ready', 'model-ready', { model: 'm', version: '3' }],
    ['GET', '/v2/models/m/config', 'model-config', { model: 'm' }],
    ['GET', '/v2/models/m/stats', 'model-stats', { model: 'm' }],
    ['GET', '/v2/models/stats', 'model-stats', {}],
    ['GET', '/v2/models/stats/stats', 'model-stats', { model: 'stats' }],
    ['POST', '/v2/models/m/infer', 'infer', { model: 'm' }],
    ['POST', '/v2/models/m/versions/3/infer', 'infer', { model: 'm', version: '3' }],
    ['POST', '/v2/models/m/generate_stream', 'generate-stream', { model: 'm' }],
    ['POST', '/v2/models/m/trace/setting', 'trace-setting', { model: 'm' }],
    ['GET', '/v2/trace/setting', 'trace-setting', {}],
    ['POST', '/v2/logging', 'logging', {}],
    ['POST', '/v2/repository/index', 'repository-index', {}],
    ['POST', '/v2/repository/R/index', 'repository-index', { repository: 'R' }],
    ['POST', '/v2/repository/models/m/load', 'model-load', { model: 'm' }],
    ['POST', '/v2/repository/R/models/m/unload', 'model-unload', { repository: 'R', model: 'm' }],
    ['GET', '/v2/systemsharedmemory/region/r/status', 'system-shm-status', { region: 'r' }],
    ['POST', '/v2/cudasharedmemory/unregister', 'cuda-shm-unregister', {}],
    ['GET', '/v2/models/two%20words', 'model-metadata', { model: 'two%20words' }],
    ['GET', '/v2/models/..%2fx', 'model-metadata', { model: '..%2fx' }],
    ['GET', '/v2/models/%252f', 'model-metadata', { model: '%252f' }],
  ])('%s %s is %s', (method, path, operation, params) => {
    expect(resolve(method, path)).toEqual([operation, params])
  })

  it.each([
    '/',
    '',
    '/v2/',
    '/v3',
    '//v2',
    '/v2/models',
    '/v2/models/',
    '/v2/health/live/',
    '/v2/models/m/',
    '/v2/models/m/versions/x',
    '/v2/models/m/versions/-1/infer',
    '/v2/models/m/versions/',
    '/v2/models/m/versions/1/trace/setting',
    '/v2/models/a/b/infer',
    '/v2/models//infer',
    '/V2',
    '/v2/models/m/inferx',
    '/v2/models/..',
    '/v2/models/a\\b',
    '/v2/models/.',
    '/v2/%6dodels/m',
    '/v2/models/m/versions/%31/inferx',
  ])('%s is nothing', (path) => {
    expect(matchRoute('GET', path)).toBe(404)
    expect(matchRoute('POST', path)).toBe(404)
  })

  it.each([
    ['GET', '/v2/models/m/infer'],
    ['POST', '/v2/health/live'],
    ['HEAD', '/v2/health/live'],
    ['DELETE', '/v2/models/m'],
    ['GET', '/v2/repository/index'],
    ['PUT', '/v2/logging'],
  ])('%s %s is not allowed', (method, path) => {
    expect(matchRoute(method, path)).toBe(405)
  })

  it('may be long, but not without end', () => {
    const path = (length: number): string => `/v2/models/${'m'.repeat(length - 11)}`
    expect(resolve('GET', path(MAX_PATH_LENGTH))).toBeInstanceOf(Array)
    expect(matchRoute('GET', path(MAX_PATH_LENGTH + 1))).toBe(414)
  })
})

it('every route belongs to a category, so that it can be restricted', () => {
  const categories = new Set(ROUTES.map(({ operation }) => CATEGORY_OF[operation]))
  expect([...categories].sort()).toEqual([
    'health',
    'inference',
    'logging',
    'metadata',
    'model-config',
    'model-repository',
    'shared-memory',
    'statistics',
    'trace',
  ])
})
