import { parseScope, type Scope } from './scopes.ts'

/** One entry of a key file. Several may have the same id: keys that are valid at the same time while one replaces another. */
export interface KeyEntry {
  /** Who it is: appears in metrics and keeps tenants apart. Never secret. */
  readonly id: string
  /** SHA-256 of the key, 64 lower-case hexadecimal digits; '' = `certificate` it is. */
  readonly hash: string
  /** Subject or SAN URI of a client certificate; '' = `hash` it is. */
  readonly certificate: string
  readonly scopes: readonly Scope[]
  /** Milliseconds since the Unix epoch; it is valid from, and before. */
  readonly notBefore: number
  readonly notAfter: number
  /** Requests per second; 0 = unlimited. */
  readonly rps: number
  /** Requests that may come at once when none came for a while. */
  readonly burst: number
  /** Requests in flight; 0 = unlimited. */
  readonly maxInflight: number
  /** 0 = any priority. */
  readonly priorityFloor: number
}

/** Entries of a file at most. */
export const MAX_KEYS = 10_000
/** Scopes of an entry at most. */
export const MAX_SCOPES = 256

const HASH = /^sha256:[0-9a-f]{64}$/
const ID = /^[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}$/
const MEMBERS: readonly string[] = [
  'id',
  'hash',
  'certificate',
  'scopes',
  'notBefore',
  'notAfter',
  'rps',
  'burst',
  'maxInflight',
  'priorityFloor',
]

/** `2027-01-31`, `2027-01-31T12:00:00Z`, `2027-01-31T12:00:00.5+02:00`. */
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

/** Milliseconds since the Unix epoch of an ISO 8601 time; NaN when it is none. */
export type ParseTime = (text: string) => number

/**
 * The entries of a parsed key file. Throws an Error that names the first wrong entry and what is wrong with it, and never a
 * value that could be a key.
 */
export function parseKeyEntries(json: unknown, parseTime: ParseTime): readonly KeyEntry[] {
  if (!Array.isArray(json)) throw new Error('expected an array of entries')
  if (json.length > MAX_KEYS) throw new Error(`${json.length} entries, the limit is ${MAX_KEYS}`)
  const seen = new Map<string, number>()
  return json.map((member: unknown, index) => {
    const entry = parseEntry(member, `entry ${index}`, parseTime)
    const identity = entry.hash || entry.certificate
    const before = seen.get(identity)
    if (before !== undefined) {
      throw new Error(
        `${place(index, entry.id)}: has the same ${entry.hash === '' ? 'certificate' : 'hash'} as entry ${before}`,
      )
    }
    seen.set(identity, index)
    return entry
  })
}

const place = (index: number, id: string): string => `entry ${index} ('${id}')`

function parseEntry(json: unknown, where: string, parseTime: ParseTime): KeyEntry {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${where}: expected an object`)
  }
  const members = new Map<string, unknown>(Object.entries(json))
  const id = members.get('id')
  if (typeof id !== 'string' || !ID.test(id)) {
    throw new Error(
      `${where}: 'id' must be 1 to 64 letters, digits, '.', '_', '-', '@' or '/', a letter or digit first`,
    )
  }
  const at = `${where} ('${id}')`
  // A member in the wrong place may be a key in clear text: its name is told only when it is harmless.
  for (const name of members.keys()) {
    if (MEMBERS.includes(name)) continue
    throw new Error(`${at}: has a member that is not known; known are ${MEMBERS.join(', ')}`)
  }
  const hash = members.get('hash')
  const certificate = members.get('certificate')
  if ((hash === undefined) === (certificate === undefined)) {
    throw new Error(`${at}: must have either 'hash' or 'certificate'`)
  }
  if (hash !== undefined && (typeof hash !== 'string' || !HASH.test(hash))) {
    throw new Error(`${at}: 'hash' must be 'sha256:' and 64 lower-case hexadecimal digits`)
  }
  if (certificate !== undefined && (typeof certificate !== 'string' || certificate === '')) {
    throw new Error(`${at}: 'certificate' must be a subject or a SAN URI`)
  }
  const number = (name: string, none: number, whole: boolean): number => {
    const value = members.get(name)
    if (value === undefined) return none
    const good = typeof value === 'number' && Number.isFinite(value) && value > 0
    if (good && (!whole || Number.isSafeInteger(value))) return value
    throw new Error(`${at}: '${name}' must be a${whole ? ' whole' : ''} number above 0`)
  }
  const time = (name: string, none: number): number => {
    const value = members.get(name)
    if (value === undefined) return none
    const ms = typeof value === 'string' && TIME.test(value) ? parseTime(value) : Number.NaN
    if (Number.isNaN(ms)) throw new Error(`${at}: '${name}' must be a time as 2027-01-31T00:00:00Z`)
    return ms
  }
  const rps = number('rps', 0, false)
  return {
    id,
    hash: typeof hash === 'string' ? hash.slice('sha256:'.length) : '',
    certificate: typeof certificate === 'string' ? certificate : '',
    scopes: parseScopes(members.get('scopes'), at),
    notBefore: time('notBefore', Number.NEGATIVE_INFINITY),
    notAfter: time('notAfter', Number.POSITIVE_INFINITY),
    rps,
    burst: number('burst', Math.max(1, Math.ceil(rps)), true),
    maxInflight: number('maxInflight', 0, true),
    priorityFloor: number('priorityFloor', 0, true),
  }
}

function parseScopes(json: unknown, at: string): readonly Scope[] {
  if (!Array.isArray(json)) throw new Error(`${at}: 'scopes' must be an array`)
  if (json.length > MAX_SCOPES) {
    throw new Error(`${at}: ${json.length} scopes, the limit is ${MAX_SCOPES}`)
  }
  return json.map((text: unknown, index) => {
    const scope = typeof text === 'string' ? parseScope(text) : undefined
    if (scope !== undefined) return scope
    throw new Error(
      `${at}: scope ${index} must be infer:<models>, read:<models>, control:<models>, shm, trace, logging, metrics or *`,
    )
  })
}
