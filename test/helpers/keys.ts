import { createHash, createHmac } from 'node:crypto'
import { parseKeyEntries } from '../../core/access/key-entry.ts'
import { createKeyAccess, type KeyAccess, type KeyHasher } from '../../core/access/keys.ts'
import type { Caller } from '../../core/access/types.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'

export const hashOf = (key: string): string =>
  `sha256:${createHash('sha256').update(key).digest('hex')}`

export const testHasher: KeyHasher = {
  digest: (key) => createHash('sha256').update(key).digest('hex'),
  tag: (digest) => createHmac('sha256', 'test').update(digest).digest('base64'),
}

export interface TestKeys {
  readonly access: KeyAccess
  readonly clock: FakeClock
  replace(entries: unknown): void
}

/** Keys by entries as a file has them; `hash` may be left out and is then that of `key:<id>`. */
export function testKeys(entries: readonly object[]): TestKeys {
  const clock = createFakeClock()
  const parse = (json: unknown) => parseKeyEntries(json, Date.parse)
  const access = createKeyAccess({ entries: parse(entries.map(hashed)), hasher: testHasher, clock })
  return {
    access,
    clock,
    replace: (json) => access.replace(parse((json as object[]).map(hashed))),
  }
}

export function hashed(entry: object): object {
  const { id } = entry as { id?: unknown }
  return 'hash' in entry || 'certificate' in entry
    ? entry
    : { hash: hashOf(`key:${String(id)}`), ...entry }
}

export function caller(
  authorization?: string,
  rest: Partial<Omit<Caller, 'header'>> & { headers?: Record<string, string> } = {},
): Caller {
  const headers: Record<string, string> = { ...rest.headers }
  if (authorization !== undefined) headers['authorization'] = authorization
  return {
    door: rest.door ?? 'http',
    address: rest.address ?? '192.0.2.1',
    certificate: rest.certificate ?? '',
    header: (name) => headers[name],
  }
}
