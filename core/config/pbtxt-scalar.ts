import type { Field } from './fields.ts'
import { didYouMean } from './nearest.ts'
import type { Lexer } from './pbtxt-lexer.ts'
import { joinLiterals, literalText, type TextLiteral } from './pbtxt-string.ts'
import type { Place } from './place.ts'
import { integerOf, isIntegerKind, rangeProblem } from './scalars.ts'

type Fail = (place: Place, problem: string) => Error

/** Reads one value of `kind` under the cursor. `names` are the values of an enum. */
export function readScalar(
  lexer: Lexer,
  kind: Exclude<Field['kind'], 'message'>,
  names: readonly string[],
  fail: Fail,
): string | number | boolean {
  if (kind === 'string') return readText(lexer, fail)
  if (kind === 'bool') return readBool(lexer, fail)
  if (kind === 'enum') return readEnum(lexer, names, fail)
  return isIntegerKind(kind) ? readInteger(lexer, kind, fail) : readFloat(lexer, kind, fail)
}

function readText(lexer: Lexer, fail: Fail): string {
  const first = lexer.token
  const parts: TextLiteral[] = []
  while (lexer.token.literal !== undefined) parts.push(lexer.next().literal ?? '')
  if (parts.length === 0) throw expected('a quoted string', lexer, fail)
  const text = literalText(joinLiterals(parts))
  if (text === undefined) throw fail(first, 'string is not valid UTF-8')
  return text
}

const BOOLS: Readonly<Record<string, boolean>> = {
  true: true,
  True: true,
  t: true,
  false: false,
  False: false,
  f: false,
}

function readBool(lexer: Lexer, fail: Fail): boolean {
  const { type, text } = lexer.token
  const value =
    type === 'identifier' && Object.hasOwn(BOOLS, text)
      ? BOOLS[text]
      : type === 'integer' && integerOf(text) <= 1
        ? integerOf(text) === 1
        : undefined
  if (value === undefined) throw expected('true or false', lexer, fail)
  lexer.next()
  return value
}

function readEnum(lexer: Lexer, names: readonly string[], fail: Fail): string {
  const { type, text } = lexer.token
  const number = type === 'integer' ? integerOf(text) : -1
  const name = type === 'identifier' ? names.find((known) => known === text) : names[number]
  if (name === undefined) {
    const hint = type === 'identifier' ? didYouMean(text, names) : ''
    throw expected(`one of ${names.join(', ')}`, lexer, fail, hint)
  }
  lexer.next()
  return name
}

function readInteger(
  lexer: Lexer,
  kind: 'int32' | 'uint32' | 'int64' | 'uint64',
  fail: Fail,
): number {
  const place = lexer.token
  const negative = takeMinus(lexer)
  if (lexer.token.type !== 'integer') throw expected('an integer', lexer, fail)
  const digits = lexer.next().text
  const value = integerOf(digits)
  const signed = negative ? 0 - value : value
  // Protobuf takes no sign before an unsigned number, not even before zero.
  const problem =
    negative && kind.startsWith('u')
      ? `-${digits.slice(0, 32)} is negative, ${kind} cannot be`
      : rangeProblem(kind, signed, `${negative ? '-' : ''}${digits}`)
  if (problem !== undefined) throw fail(place, problem)
  return signed
}

function readFloat(lexer: Lexer, kind: 'float' | 'double', fail: Fail): number {
  const negative = takeMinus(lexer)
  const value = unsignedFloat(lexer.token.type, lexer.token.text)
  if (value === undefined) throw expected('a number', lexer, fail)
  lexer.next()
  const signed = negative ? -value : value
  return kind === 'float' ? Math.fround(signed) : signed
}

function unsignedFloat(type: string, text: string): number | undefined {
  if (type === 'float') return Number(text.replace(/[fF]$/, ''))
  // Hexadecimal and octal are for integers alone.
  if (type === 'integer') return /^0./.test(text) ? undefined : Number(text)
  if (type !== 'identifier') return undefined
  const name = text.toLowerCase()
  if (name === 'inf' || name === 'infinity') return Number.POSITIVE_INFINITY
  return name === 'nan' ? Number.NaN : undefined
}

function takeMinus(lexer: Lexer): boolean {
  if (lexer.token.type !== 'symbol' || lexer.token.text !== '-') return false
  lexer.next()
  return true
}

function expected(what: string, lexer: Lexer, fail: Fail, hint = ''): Error {
  const { type, text } = lexer.token
  const found =
    type === 'end' ? 'the end of file' : type === 'string' ? 'a string' : `'${text.slice(0, 80)}'`
  return fail(lexer.token, `expected ${what}, found ${found}${hint}`)
}
