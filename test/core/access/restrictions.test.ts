import { expect, test } from 'vitest'
import { parseRestriction } from '../../../adapters/cli/flag-values.ts'
import { restrictedAccess } from '../../../core/access/restrictions.ts'
import { type Door, isRefusal } from '../../../core/access/types.ts'
import { matchRoute } from '../../../core/protocol/rest/match-route.ts'
import { refusedReply } from '../../../core/protocol/rest/replies.ts'

const access = restrictedAccess({
  http: [
    parseRestriction('http-restricted-api', 'api', 'model-repository,logging:Admin-Key=s3cret'),
    parseRestriction('http-restricted-api', 'api', 'statistics:other=value'),
  ],
  grpc: [parseRestriction('grpc-restricted-protocol', 'protocol', 'logging:Admin-Key=s3cret')],
})

function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  door: Door = 'http',
) {
  const match = matchRoute(method, path)
  if (typeof match === 'number') throw new Error(`no route: ${path}`)
  const caller = { door, header: (name: string) => headers[name], address: '', certificate: '' }
  const outcome = access?.authorize({
    operation: match.operation,
    model: match.params.model ?? '',
    caller,
  })
  if (outcome === undefined || !isRefusal(outcome)) return 'allowed'
  if (door === 'grpc') return outcome.message
  const reply = refusedReply(outcome)
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
  expect(restrictedAccess({ http: [], grpc: [] })).toBeUndefined()
})

test('gRPC has its own groups, prefix and words', () => {
  const name = 'triton-grpc-protocol-admin-key'
  const refused = "This protocol is restricted, expecting header 'triton-grpc-protocol-Admin-Key'"
  expect(ask('GET', '/v2/logging', { 'admin-key': 's3cret' }, 'grpc')).toBe(refused)
  expect(ask('GET', '/v2/logging', { [name]: 's3cret' }, 'grpc')).toBe('allowed')
  expect(ask('GET', '/v2/models/m/stats', {}, 'grpc')).toBe('allowed')
})
