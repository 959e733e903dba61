import { readFileSync } from 'node:fs'

/** What Triton answered to one request. */
export interface RecordedAnswer {
  readonly status: number
  readonly content_type: string | null
  readonly content_encoding: string | null
  /** The JSON body or head; `{ __text__ }` for a body that is none; null for no body. */
  readonly json: unknown
  /** Bytes after the JSON head. */
  readonly binary_base64: string | null
}

/** One recorded exchange. `exact`: status, JSON and binary equal; `schema`: same keys and types; `status`: the status alone. */
export interface RecordedCase {
  readonly name: string
  readonly group: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly text?: string; readonly base64?: string }
  readonly compare: 'exact' | 'schema' | 'status'
  readonly answer: RecordedAnswer
}

// Whole tokens, so that digits inside a string or behind a point are never taken for a number.
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g
const LONG_INTEGER = /^-?\d{16,}$/

/** JSON whose integers beyond 2^53 come as `#<digits>` strings, so that equality sees each digit. */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text.replace(STRING_OR_NUMBER, (token) => (LONG_INTEGER.test(token) ? `"#${token}"` : token)),
  )
}

/** Cases of `test/fixtures/recorded/<file>`, in the order in which they were asked. */
export function readCases(file: string): readonly RecordedCase[] {
  const url = new URL(`../fixtures/recorded/${file}`, import.meta.url)
  return parseExact(readFileSync(url, 'utf8')) as readonly RecordedCase[]
}

export function bodyOf(recorded: RecordedCase): Buffer {
  if (recorded.body.base64 !== undefined) return Buffer.from(recorded.body.base64, 'base64')
  return Buffer.from(recorded.body.text ?? '')
}
