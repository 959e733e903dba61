import { expect, test } from 'vitest'
import { combinedAccess } from '../../../core/access/combined.ts'
import { FAILURE_ADDRESSES, FAILURES_PER_SECOND } from '../../../core/access/failures.ts'
import { restrictedAccess } from '../../../core/access/restrictions.ts'
import { REQUIREMENT_OF } from '../../../core/access/scopes.ts'
import { type Caller, isRefusal, type Principal } from '../../../core/access/types.ts'
import type { Operation } from '../../../core/operations.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { caller, hashOf, testKeys } from '../../helpers/keys.ts'

const OPERATIONS = Object.keys(REQUIREMENT_OF) as Operation[]
const bearer = (id: string): Caller => caller(`Bearer key:${id}`)

type Keys = ReturnType<typeof testKeys>

function kindOf(keys: Keys, operation: Operation, model: string, who: Caller): string {
  const outcome = keys.access.authorize({ operation, model, caller: who })
  return isRefusal(outcome) ? outcome.kind : 'allowed'
}

function principalOf(keys: Keys, who: Caller, model = 'm'): Principal {
  const outcome = keys.access.authorize({ operation: 'infer', model, caller: who })
  if (isRefusal(outcome)) throw new Error(outcome.message)
  return outcome
}

test('without a key only the probes are answered', () => {
  const keys = testKeys([{ id: 'a', scopes: ['*'] }])
  const open = OPERATIONS.filter(
    (operation) => kindOf(keys, operation, 'm', caller()) === 'allowed',
  )
  expect(open).toEqual(['server-live', 'server-ready'])
  for (const operation of OPERATIONS) {
    expect(kindOf(keys, operation, 'm', bearer('a'))).toBe('allowed')
  }
})

/** What each scope lets through on the model `m-1`. */
const ALLOWED: Readonly<Record<string, readonly Operation[]>> = {
  'infer:m-*': [
    'model-ready',
    'model-metadata',
    'model-stats',
    'infer',
    'infer-stream',
    'generate',
    'generate-stream',
    'repository-index',
  ],
  'read:m-*': ['model-ready', 'model-metadata', 'model-config', 'model-stats', 'repository-index'],
  'control:m-*': [
    'model-ready',
    'model-metadata',
    'model-stats',
    'repository-index',
    'model-load',
    'model-unload',
    'model-traffic',
  ],
  shm: OPERATIONS.filter((operation) => operation.includes('-shm-')),
  trace: ['trace-setting'],
  logging: ['logging'],
  metrics: [],
}

test.each(Object.entries(ALLOWED))(
  'the scope %s allows its own operations alone',
  (scope, wanted) => {
    const keys = testKeys([{ id: 'a', scopes: [scope] }])
    const always: Operation[] = ['server-live', 'server-ready', 'server-metadata', 'reflection']
    const named = (operation: Operation): string =>
      operation === 'repository-index' || operation === 'logging' || operation.includes('shm')
        ? ''
        : 'm-1'
    const got = OPERATIONS.filter(
      (operation) =>
        !always.includes(operation) &&
        kindOf(keys, operation, named(operation), bearer('a')) === 'allowed',
    )
    expect(got.sort()).toEqual([...wanted].sort())
    for (const operation of wanted) {
      if (named(operation) === '') continue
      expect([operation, kindOf(keys, operation, 'other', bearer('a'))]).not.toEqual([
        operation,
        scope.includes(':') ? 'allowed' : '',
      ])
    }
  },
)

test('a model that is unknown and one that is forbidden get the same words', () => {
  const keys = testKeys([{ id: 'a', scopes: ['infer:mine'] }])
  const words = (model: string): string => {
    const outcome = keys.access.authorize({ operation: 'infer', model, caller: bearer('a') })
    if (!isRefusal(outcome)) throw new Error('allowed')
    return outcome.message.replaceAll(model, 'M')
  }
  expect(words('there')).toBe(words('nowhere'))
  expect(principalOf(keys, bearer('a'), 'mine').sees('there')).toBe(false)
  expect(principalOf(keys, bearer('a'), 'mine').sees('mine')).toBe(true)
})

test.each([
  ['Bearer key:a', 'allowed'],
  ['bearer  key:a ', 'allowed'],
  [`Basic ${btoa('anyone:key:a')}`, 'allowed'],
  [`Basic ${btoa('key:a')}`, 'unauthenticated'],
  ['Basic !!!', 'unauthenticated'],
  ['key:a', 'unauthenticated'],
  ['Bearer', 'unauthenticated'],
  ['Bearer ', 'unauthenticated'],
  ['Bearer key:a, Bearer key:a', 'unauthenticated'],
  [`Bearer ${hashOf('key:a')}`, 'unauthenticated'],
  ['Digest key:a', 'unauthenticated'],
])('the header %j is %s', (header, wanted) => {
  const keys = testKeys([{ id: 'a', scopes: ['*'] }])
  for (const door of ['http', 'grpc'] as const) {
    expect(kindOf(keys, 'infer', 'm', caller(header, { door }))).toBe(wanted)
  }
})

test('a key is valid from notBefore and before notAfter, and two keys of an id overlap', () => {
  const start = createFakeClock().epochMs()
  const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString()
  const keys = testKeys([
    { id: 'a', hash: hashOf('old'), scopes: ['*'], notAfter: at(10) },
    { id: 'a', hash: hashOf('new'), scopes: ['*'], notBefore: at(5) },
  ])
  const valid = (): string[] =>
    ['old', 'new'].filter(
      (key) => kindOf(keys, 'infer', 'm', caller(`Bearer ${key}`)) === 'allowed',
    )
  expect(valid()).toEqual(['old'])
  keys.clock.advance(5e9)
  expect(valid()).toEqual(['old', 'new'])
  keys.clock.advance(5e9)
  expect(valid()).toEqual(['new'])
})

test('a verified client certificate stands for a key, but not beside a wrong one', () => {
  const keys = testKeys([{ id: 'a', certificate: 'spiffe://x/client', scopes: ['*'] }])
  const certificate = 'spiffe://x/client'
  expect(kindOf(keys, 'infer', 'm', caller(undefined, { certificate }))).toBe('allowed')
  expect(kindOf(keys, 'infer', 'm', caller(undefined, { certificate: 'spiffe://x/other' }))).toBe(
    'unauthenticated',
  )
  expect(kindOf(keys, 'infer', 'm', caller('Bearer no', { certificate }))).toBe('unauthenticated')
})

test('a key sends its burst at once and then its rate; all keys of an id share it', () => {
  const keys = testKeys([
    { id: 'a', scopes: ['*'], rps: 2, burst: 4 },
    { id: 'a', hash: hashOf('second'), scopes: ['*'], rps: 2, burst: 4 },
  ])
  const who = [bearer('a'), caller('Bearer second')] as const
  for (let i = 0; i < 4; i++) {
    expect(kindOf(keys, 'infer', 'm', who[i % 2] as Caller)).toBe('allowed')
  }
  const refused = keys.access.authorize({ operation: 'infer', model: 'm', caller: who[0] })
  expect(refused).toMatchObject({ kind: 'limited', retryAfterSecs: 1 })
  keys.clock.advance(0.5e9)
  expect(kindOf(keys, 'infer', 'm', who[0])).toBe('allowed')
  expect(kindOf(keys, 'infer', 'm', who[1])).toBe('limited')
  keys.clock.advance(60e9)
  for (let i = 0; i < 4; i++) expect(kindOf(keys, 'infer', 'm', who[0])).toBe('allowed')
  expect(kindOf(keys, 'infer', 'm', who[0])).toBe('limited')
})

test('a key has as many requests in flight as its entry says', () => {
  const keys = testKeys([{ id: 'a', scopes: ['*'], maxInflight: 2 }])
  const principal = principalOf(keys, bearer('a'))
  expect(principal.enter?.()).toBeNull()
  expect(principal.enter?.()).toBeNull()
  expect(principal.enter?.()).toMatchObject({ kind: 'limited' })
  principal.leave?.()
  expect(principal.enter?.()).toBeNull()
})

test('wrong keys are slowed down per address, a good one from the same address is not', () => {
  const keys = testKeys([{ id: 'a', scopes: ['*'] }])
  const guess = (address: string): string =>
    kindOf(keys, 'infer', 'm', caller('Bearer no', { address }))
  for (let i = 0; i < FAILURES_PER_SECOND; i++) expect(guess('192.0.2.7')).toBe('unauthenticated')
  expect(guess('192.0.2.7')).toBe('limited')
  expect(guess('192.0.2.8')).toBe('unauthenticated')
  expect(kindOf(keys, 'infer', 'm', caller('Bearer key:a', { address: '192.0.2.7' }))).toBe(
    'allowed',
  )
  for (let i = 0; i < FAILURE_ADDRESSES; i++) guess(`10.${i >> 8}.${i & 255}.1`)
  expect(guess('192.0.2.7')).toBe('unauthenticated')
})

test('an open stream ends with its key, and follows its scopes', () => {
  const keys = testKeys([{ id: 'a', scopes: ['infer:m'] }])
  const principal = principalOf(keys, bearer('a'))
  expect(principal.recheck('infer-stream', 'm')).toBeNull()
  expect(principal.recheck('infer-stream', 'n')).toMatchObject({ kind: 'forbidden' })
  keys.replace([{ id: 'a', scopes: ['infer:n'] }])
  expect(principal.recheck('infer-stream', 'm')).toMatchObject({ kind: 'forbidden' })
  expect(principal.recheck('infer-stream', 'n')).toBeNull()
  keys.replace([{ id: 'b', scopes: ['*'] }])
  expect(principal.recheck('infer-stream', 'n')).toMatchObject({ kind: 'unauthenticated' })
})

test("Triton's restrictions and the key file must both allow", () => {
  const keys = testKeys([{ id: 'a', scopes: ['infer:*'] }])
  const restrictions = restrictedAccess({
    http: [{ apis: ['inference'], key: 'x-admin', value: 'yes' }],
    grpc: [],
  })
  const access = combinedAccess([restrictions, keys.access])
  const ask = (authorization?: string, headers: Record<string, string> = {}): string => {
    const who = caller(authorization, { headers })
    const outcome = access?.authorize({ operation: 'infer', model: 'm', caller: who })
    if (outcome === undefined) throw new Error('nobody was asked')
    return isRefusal(outcome) ? outcome.kind : outcome.id
  }
  expect(ask()).toBe('restricted')
  expect(ask('Bearer key:a')).toBe('restricted')
  expect(ask(undefined, { 'x-admin': 'yes' })).toBe('unauthenticated')
  expect(ask('Bearer key:a', { 'x-admin': 'yes' })).toBe('a')
})

test('what was asked is counted by id and result', () => {
  const keys = testKeys([{ id: 'a', scopes: ['infer:m'] }])
  kindOf(keys, 'infer', 'm', bearer('a'))
  kindOf(keys, 'infer', 'n', bearer('a'))
  kindOf(keys, 'infer', 'm', caller())
  kindOf(keys, 'infer', 'm', caller('Bearer secret-guess'))
  expect(keys.access.authorizeMetrics(bearer('a'))).toMatchObject({ kind: 'forbidden' })
  const counts = keys.access.counts().filter(({ value }) => value > 0)
  expect(counts).toEqual([
    { keyId: '', result: 'unauthenticated', value: 2 },
    { keyId: 'a', result: 'allowed', value: 1 },
    { keyId: 'a', result: 'forbidden', value: 2 },
  ])
})
