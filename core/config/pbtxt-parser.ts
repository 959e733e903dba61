import { ServerError } from '../errors.ts'
import { ENUMS } from './enums.ts'
import { type Field, MESSAGES } from './fields.ts'
import { didYouMean } from './nearest.ts'
import { createLexer, type Lexer } from './pbtxt-lexer.ts'
import { readScalar } from './pbtxt-scalar.ts'
import { type Place, type Places, placedError } from './place.ts'
import type { ModelConfig } from './types.ts'

/** Longest config text, in UTF-16 units. */
export const MAX_CONFIG_LENGTH = 1_048_576

/** Deepest nesting of messages; the schema itself needs 6. */
export const MAX_CONFIG_DEPTH = 64

export interface ParseOptions {
  /** How errors call the text. Default `config.pbtxt`. */
  readonly file?: string
  /** Filled with the place of every field, for messages of later checks. */
  readonly places?: Places
  /** Filled with what else is thrown for fields of which the end can be found: they are left out, and the rest is read. */
  readonly problems?: Error[]
}

type Message = Record<string, unknown>

/**
 * Reads a ModelConfig in protobuf's text format. Throws INVALID_ARG naming line, column and field. As protobuf does, a
 * repeated key of a map keeps its last value; more strictly than it, a single field given twice is an error even
 * where the first value was zero.
 */
export function parseConfig(text: string, options: ParseOptions = {}): ModelConfig {
  const file = options.file ?? 'config.pbtxt'
  const fail: Fail = (place, problem) => placedError(file, place, problem)
  if (text.length > MAX_CONFIG_LENGTH) {
    throw fail(
      { line: 1, column: 1 },
      `config has ${text.length} characters, the limit is ${MAX_CONFIG_LENGTH}`,
    )
  }
  const lexer = createLexer(text, file)
  const { places, problems } = options
  const config = readMessage({ lexer, fail, places, problems }, 'ModelConfig', 'end', '', 0)
  return config as ModelConfig
}

type Fail = (place: Place, problem: string) => Error

interface Reader {
  readonly lexer: Lexer
  readonly fail: Fail
  readonly places: Places | undefined
  readonly problems: Error[] | undefined
}

/** Reads fields up to `close`, which is consumed. */
function readMessage(
  reader: Reader,
  type: string,
  close: string,
  path: string,
  depth: number,
): Message {
  return readFields(reader, type, MESSAGES[type] ?? [], close, path, depth)
}

function readFields(
  reader: Reader,
  type: string,
  fields: readonly Field[],
  close: string,
  path: string,
  depth: number,
): Message {
  const { lexer, fail } = reader
  const message: Message = {}
  for (;;) {
    const token = lexer.token
    if (token.type === 'end' && close === 'end') return message
    if (token.type === 'symbol' && token.text === close) {
      lexer.next()
      return message
    }
    if (token.type !== 'identifier') {
      const wanted = close === 'end' ? 'a field name' : `a field name or '${close}'`
      throw fail(token, `expected ${wanted}${within(path)}, found ${shown(lexer)}`)
    }
    lexer.next()
    const field = fields.find((known) => known.name === token.text)
    const at = path === '' ? token.text : `${path}.${token.text}`
    if (field === undefined) {
      const names = fields.map((known) => known.name)
      const hint = didYouMean(token.text, names)
      const unknown = fail(
        token,
        `${clip(at)}: unknown field '${clip(token.text)}' in ${type}${hint}`,
      )
      if (reader.problems === undefined) throw unknown
      reader.problems.push(unknown)
      skipField(lexer)
    } else {
      checkGivenOnce(reader, fields, field, message, at, token)
      readField(reader, field, message, at, depth, token)
    }
    if (lexer.token.type === 'symbol' && /[,;]/.test(lexer.token.text)) lexer.next()
  }
}

/** Leaves out the value of a field that nobody knows. */
function skipField(lexer: Lexer): void {
  take(lexer, ':')
  let depth = 0
  for (; lexer.token.type !== 'end'; lexer.next()) {
    const { type, text } = lexer.token
    if (type !== 'symbol' || text === '-') {
      // The next field begins where this one's value is over; strings may be several in a row.
      if (depth === 0 && type !== 'string' && text !== '-') {
        lexer.next()
        return
      }
      if (depth === 0 && type === 'string') {
        while (lexer.token.type === 'string') lexer.next()
        return
      }
    } else if (/[[{<]/.test(text)) depth++
    else if (/[\]}>]/.test(text) && --depth <= 0) {
      if (depth === 0) lexer.next()
      return
    }
  }
}

function checkGivenOnce(
  reader: Reader,
  fields: readonly Field[],
  field: Field,
  message: Message,
  path: string,
  place: Place,
): void {
  if (field.label !== 'one') return
  if (Object.hasOwn(message, field.name)) {
    report(reader, reader.fail(place, `${path}: given more than once`))
  }
  if (field.oneof === undefined) return
  for (const other of fields) {
    if (other.oneof === field.oneof && Object.hasOwn(message, other.name)) {
      const text = `${path}: cannot be given together with '${other.name}' (one of ${field.oneof})`
      report(reader, reader.fail(place, text))
    }
  }
}

function readField(
  reader: Reader,
  field: Field,
  message: Message,
  path: string,
  depth: number,
  place: Place,
): void {
  const { lexer, fail } = reader
  const colon = take(lexer, ':')
  if (!colon && field.kind !== 'message' && field.label !== 'map') {
    throw fail(lexer.token, `${path}: expected ':', found ${shown(lexer)}`)
  }
  if (field.label === 'one') {
    reader.places?.set(path, place)
    const value = readValue(reader, field, path, depth)
    if (value !== undefined) message[field.name] = value
    return
  }
  if (!Object.hasOwn(message, field.name)) {
    message[field.name] = field.label === 'map' ? Object.create(null) : []
    reader.places?.set(path, place)
  }
  if (!take(lexer, '[')) {
    addElement(reader, field, message, path, depth, place)
    return
  }
  if (take(lexer, ']')) return
  for (;;) {
    addElement(reader, field, message, path, depth, lexer.token)
    if (take(lexer, ']')) return
    if (!take(lexer, ',')) {
      throw fail(lexer.token, `${path}: expected ',' or ']', found ${shown(lexer)}`)
    }
  }
}

function addElement(
  reader: Reader,
  field: Field,
  message: Message,
  path: string,
  depth: number,
  place: Place,
): void {
  if (field.label === 'map') {
    addEntry(reader, field, message[field.name] as Message, path, depth)
    return
  }
  const list = message[field.name] as unknown[]
  const at = `${path}[${list.length}]`
  reader.places?.set(at, place)
  const value = readValue(reader, field, at, depth)
  if (value !== undefined) list.push(value)
}

/** A map is a list of `{ key: … value: … }`; a missing half is its kind's zero. */
function addEntry(reader: Reader, field: Field, map: Message, path: string, depth: number): void {
  const key: Field = { name: 'key', number: 1, label: 'one', kind: field.key ?? 'string' }
  const value: Field = { ...field, name: 'value', number: 2, label: 'one' }
  const close = open(reader, path, depth)
  const entry = readFields(
    reader,
    `an entry of ${field.name}`,
    [key, value],
    close,
    path,
    depth + 1,
  )
  const empty = field.kind === 'message' ? {} : ''
  map[String(entry['key'] ?? (field.key === 'uint64' ? 0 : ''))] = entry['value'] ?? empty
}

function readValue(reader: Reader, field: Field, path: string, depth: number): unknown {
  if (field.kind === 'message') {
    const close = open(reader, path, depth)
    return readMessage(reader, field.message ?? '', close, path, depth + 1)
  }
  const names = field.enumName === undefined ? [] : ENUMS[field.enumName]
  const { lexer, problems } = reader
  const begin = lexer.token
  try {
    return readScalar(lexer, field.kind, names, (place, problem) =>
      reader.fail(place, `${path}: ${problem}`),
    )
  } catch (error) {
    if (problems === undefined || !(error instanceof ServerError)) throw error
    // What is no value at all says nothing of where the next field begins.
    if (begin.type === 'symbol' && begin.text !== '-') throw error
    problems.push(error)
    if (lexer.token === begin) skipField(lexer)
    return undefined
  }
}

/** Throws, or notes it where problems are collected. */
function report({ problems }: Reader, problem: Error): void {
  if (problems === undefined) throw problem
  problems.push(problem)
}

/** Consumes `{` or `<` and returns what closes it. */
function open(reader: Reader, path: string, depth: number): string {
  const { lexer, fail } = reader
  if (depth >= MAX_CONFIG_DEPTH) {
    throw fail(lexer.token, `${path}: nested deeper than ${MAX_CONFIG_DEPTH} levels`)
  }
  if (take(lexer, '{')) return '}'
  if (take(lexer, '<')) return '>'
  throw fail(lexer.token, `${path}: expected '{', found ${shown(lexer)}`)
}

function take(lexer: Lexer, symbol: string): boolean {
  if (lexer.token.type !== 'symbol' || lexer.token.text !== symbol) return false
  lexer.next()
  return true
}

function shown(lexer: Lexer): string {
  const { type, text } = lexer.token
  return type === 'end' || type === 'string'
    ? `the ${text}`.replace('the string', 'a string')
    : `'${clip(text)}'`
}

function within(path: string): string {
  return path === '' ? '' : ` in ${path}`
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
