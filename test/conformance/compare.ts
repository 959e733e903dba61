import { isDeepStrictEqual } from 'node:util'
import type { RecordedAnswer, RecordedCase } from './cases.ts'

export interface Verdict {
  /** Empty when the answer is as recorded, error texts aside. */
  readonly problems: readonly string[]
  /** For error answers: whether the text is Triton's; null where that does not count. */
  readonly text: 'same' | 'different' | null
}

/** Texts in which Triton shows its JSON parser's own words: another parser may use others. */
const PARSER_WORDING =
  /^(failed to parse|Unable to parse|attempt to access|unable to parse)|JSON buffer|error: /i
const GOT_INPUTS = /Got input\(s\) \[([^\]]*)\]/

/** Compares an answer with the recorded one by the recorded rule. */
export function compareAnswer(recorded: RecordedCase, answer: RecordedAnswer): Verdict {
  const expected = recorded.answer
  const problems: string[] = []
  // A client's mistake that Triton calls its own is the client's here.
  const allowed = expected.status === 500 ? [500, 400] : [expected.status]
  if (!allowed.includes(answer.status)) {
    problems.push(`status ${answer.status}, Triton ${expected.status}: ${shorten(answer.json)}`)
  }
  if (recorded.compare === 'status') return { problems, text: null }
  const wanted = errorOf(expected.json)
  if (wanted !== undefined) return compareError(wanted, answer, problems)
  if (recorded.compare === 'schema') {
    const difference = schemaDifference(expected.json, answer.json, '$')
    if (difference !== undefined) problems.push(difference)
    return { problems, text: null }
  }
  const [left, right] = [withoutEnsembles(expected.json), withoutEnsembles(answer.json)]
  const difference = valueDifference(left, right, '$')
  if (difference !== undefined) problems.push(difference)
  if (answer.binary_base64 !== expected.binary_base64) {
    problems.push(`binary ${answer.binary_base64}, Triton ${expected.binary_base64}`)
  }
  if (answer.content_encoding !== expected.content_encoding) {
    problems.push(`encoding ${answer.content_encoding}, Triton ${expected.content_encoding}`)
  }
  if (expected.json !== null && answer.content_type !== expected.content_type) {
    problems.push(`content type ${answer.content_type}, Triton ${expected.content_type}`)
  }
  return { problems, text: null }
}

function compareError(wanted: string, answer: RecordedAnswer, problems: string[]): Verdict {
  const got = errorOf(answer.json)
  if (got === undefined) {
    problems.push(`no error text in ${shorten(answer.json)}`)
    return { problems, text: 'different' }
  }
  if (sortInputs(got) === sortInputs(wanted)) return { problems, text: 'same' }
  return { problems, text: PARSER_WORDING.test(wanted) ? null : 'different' }
}

export function errorOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('error' in json)) return undefined
  return typeof json.error === 'string' ? json.error : undefined
}

/** Triton lists inputs in the order of its hash table: any order is right. */
function sortInputs(text: string): string {
  return text.replace(GOT_INPUTS, (_, names: string) => names.split(',').sort().join())
}

/** Ensembles are not served yet, so that lists of models differ by them and by nothing else. */
function withoutEnsembles(json: unknown): unknown {
  return Array.isArray(json) ? json.filter((entry) => !/^ens_/.test(entry?.name ?? '')) : json
}

/** The first place where two JSON values differ. */
function valueDifference(expected: unknown, got: unknown, path: string): string | undefined {
  if (isDeepStrictEqual(expected, got)) return undefined
  const [left, right] = [kindOf(expected), kindOf(got)]
  const nested = left === right && (left === 'object' || left === 'array')
  if (!nested) return `${path} is ${shorten(got)}, Triton ${shorten(expected)}`
  const [a, b] = [expected, got] as [Record<string, unknown>, Record<string, unknown>]
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return first(keys.map((key) => valueDifference(a[key], b[key], `${path}.${key}`)))
}

/** Where keys or types differ; elements of an array are compared with the first recorded one. */
function schemaDifference(expected: unknown, got: unknown, path: string): string | undefined {
  const [left, right] = [kindOf(expected), kindOf(got)]
  if (left !== right) return `${path} is ${right}, Triton ${left}`
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length === 0) return undefined
    if (got.length === 0) return `${path} is empty`
    return first(got.map((entry, i) => schemaDifference(expected[0], entry, `${path}[${i}]`)))
  }
  if (left !== 'object') return undefined
  const [a, b] = [expected, got] as [Record<string, unknown>, Record<string, unknown>]
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return first(
    keys.map((key) => {
      if (!(key in a)) return `${path}.${key} is not Triton's`
      if (!(key in b)) return `${path}.${key} is missing`
      // A model that has not run has no batches to compare.
      if (key === 'batch_stats' && (b[key] as unknown[]).length === 0) return undefined
      return schemaDifference(a[key], b[key], `${path}.${key}`)
    }),
  )
}

function kindOf(value: unknown): string {
  if (typeof value === 'string' && /^#-?\d+$/.test(value)) return 'number'
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}

function first(differences: readonly (string | undefined)[]): string | undefined {
  return differences.find((difference) => difference !== undefined)
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}
