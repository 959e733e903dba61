import type { HeaderList } from './hpack/decoder.ts'
import type { RequestHead } from './types.ts'

/** Says in `HeaderList.head` that the list is no request. */
export const MALFORMED = 'malformed'

/** Fields that are about one HTTP/1 connection (RFC 9113 §8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
])
const COLON = 0x3a

/** Characters of a field name: those of a token, but no upper case. */
const NAME_CHARACTERS: Uint8Array = (() => {
  const table = new Uint8Array(256)
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[character.charCodeAt(0)] = 1
  }
  return table
})()

/** A request's header that passed the rules of RFC 9113 §8. */
export class CheckedHead implements RequestHead {
  readonly method: string
  readonly scheme: string
  readonly path: string
  readonly authority: string
  readonly fields: readonly string[]
  /** -1 = not said. */
  readonly contentLength: number
  memo: unknown = null

  constructor(pseudo: Pseudo, fields: readonly string[], contentLength: number) {
    this.method = pseudo[':method'] ?? ''
    this.scheme = pseudo[':scheme'] ?? ''
    this.path = pseudo[':path'] ?? ''
    this.fields = fields
    this.contentLength = contentLength
    this.authority = pseudo[':authority'] ?? this.get('host') ?? ''
  }

  get(name: string): string | undefined {
    let joined: string | undefined
    for (let i = 0; i < this.fields.length; i += 2) {
      if (this.fields[i] !== name) continue
      const value = this.fields[i + 1] as string
      joined = joined === undefined ? value : `${joined}, ${value}`
    }
    return joined
  }
}

interface Pseudo {
  ':method'?: string
  ':scheme'?: string
  ':path'?: string
  ':authority'?: string
}

const isPseudo = (name: string): name is keyof Pseudo =>
  name === ':method' || name === ':scheme' || name === ':path' || name === ':authority'

/** The request of `list`, made once per list, or {@link MALFORMED}. */
export function requestHead(list: HeaderList): CheckedHead | typeof MALFORMED {
  list.head ??= check(list.fields)
  return list.head as CheckedHead | typeof MALFORMED
}

/** Trailers hold regular fields only (RFC 9113 §8.1). */
export function trailersAllowed(list: HeaderList): boolean {
  const { fields } = list
  for (let i = 0; i < fields.length; i += 2) {
    if (!fieldAllowed(fields[i] as string, fields[i + 1] as string)) return false
  }
  return true
}

function check(list: readonly string[]): CheckedHead | typeof MALFORMED {
  const pseudo: Pseudo = {}
  const fields: string[] = []
  let contentLength = -1
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string
    const value = list[i + 1] as string
    if (name.charCodeAt(0) === COLON) {
      if (fields.length > 0 || !isPseudo(name) || pseudo[name] !== undefined) return MALFORMED
      if (!valueAllowed(value)) return MALFORMED
      pseudo[name] = value
      continue
    }
    if (!fieldAllowed(name, value)) return MALFORMED
    if (name === 'content-length') {
      const length = /^\d{1,15}$/.test(value) ? Number(value) : -1
      if (length < 0 || (contentLength >= 0 && contentLength !== length)) return MALFORMED
      contentLength = length
    }
    fields.push(name, value)
  }
  return complete(pseudo) ? new CheckedHead(pseudo, fields, contentLength) : MALFORMED
}

function complete(pseudo: Pseudo): boolean {
  const { ':method': method, ':scheme': scheme, ':path': path } = pseudo
  if (method === undefined || method === '') return false
  // CONNECT names only an authority (RFC 9113 §8.5).
  if (method === 'CONNECT') {
    return scheme === undefined && path === undefined && pseudo[':authority'] !== undefined
  }
  return scheme !== undefined && path !== undefined && path !== ''
}

function fieldAllowed(name: string, value: string): boolean {
  if (name === '') return false
  for (let i = 0; i < name.length; i++) {
    if (NAME_CHARACTERS[name.charCodeAt(i)] !== 1) return false
  }
  if (CONNECTION_FIELDS.has(name) || (name === 'te' && value !== 'trailers')) return false
  return valueAllowed(value)
}

/** Space around a value is let through: clients send it, and nothing here passes it on. */
function valueAllowed(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code === 0 || code === 0x0a || code === 0x0d) return false
  }
  return true
}
