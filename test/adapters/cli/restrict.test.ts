import { expect, test } from 'vitest'
import { parseRestriction } from '../../../adapters/cli/flag-values.ts'
import { authorizeBy } from '../../../adapters/cli/restrict.ts'
import { matchRoute } from '../../../core/protocol/rest/match-route.ts'

const authorize = authorizeBy([
  parseRestriction('http-restricted-api', 'api', 'model-repository,logging:Admin-Key=s3cret'),
  parseRestriction('http-restricted-api', 'api', 'statistics:other=value'),
])

function ask(method: string, path: string, headers: Record<string, string> = {}) {
  const match = matchRoute(method, path)
  if (typeof match === 'number') throw new Error(`no route: ${path}`)
  const reply = authorize?.(match, {
    method,
    path,
    header: (name) => headers[name],
    body: () => Promise.resolve(new Uint8Array()),
  })
  if (!reply) return 'allowed'
  return `${reply.status} ${new TextDecoder().decode(reply.body[0])}`
}

const REFUSED = `403 {"error":"This API is restricted, expecting header 'Admin-Key'"}`

test('a restricted API answers only with its header', () => {
  for (const [method, path] of [
    ['POST', '/v2/repository/models/m/load'],
    ['POST', '/v2/repository/models/m/unload'],
    ['POST', '/v2/repository/index'],
    ['GET', '/v2/logging'],
  ] as const) {
    expect(ask(method, path)).toBe(REFUSED)
    expect(ask(method, path, { 'admin-key': 's3cret' })).toBe('allowed')
    for (const wrong of ['', 's3cre', 's3crets', 's3crets3cret', 'S3cret']) {
      expect(ask(method, path, { 'admin-key': wrong })).toBe(REFUSED)
    }
    expect(ask(method, path, { other: 'value' })).toBe(REFUSED)
  }
})

test('an API that is not restricted needs no header', () => {
  expect(ask('GET', '/v2/health/ready')).toBe('allowed')
  expect(ask('GET', '/v2/models/m')).toBe('allowed')
})

test('each group has its own key', () => {
  expect(ask('GET', '/v2/models/m/stats', { other: 'value' })).toBe('allowed')
  expect(ask('GET', '/v2/models/m/stats', { 'admin-key': 's3cret' })).toMatch(/header 'other'/)
})

test('without restrictions nothing is checked', () => {
  expect(authorizeBy([])).toBeUndefined()
})
