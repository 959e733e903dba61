import { ServerError } from '../errors.ts'
import { ENUMS } from './enums.ts'
import { type Field, MESSAGES } from './fields.ts'
import { didYouMean } from './nearest.ts'
import { MAX_CONFIG_DEPTH, MAX_CONFIG_LENGTH } from './pbtxt-parser.ts'
import { isIntegerKind, rangeProblem } from './scalars.ts'
import type { ModelConfig } from './types.ts'

/**
 * Reads a ModelConfig from the JSON that a load request carries. `what` names the text in errors: `config override`.
 * Field names in snake_case or protobuf's lowerCamelCase, enums by name (any case) or number, integers as numbers or
 * strings, null as unset. Throws INVALID_ARG naming the path.
 */
export function configFromJson(text: string, options: { readonly what: string }): ModelConfig {
  const { what } = options
  const fail: Fail = (path, problem) => {
    const at = path === '' ? '' : `${path}: `
    return new ServerError('INVALID_ARG', `${what}: ${at}${problem}`)
  }
  if (text.length > MAX_CONFIG_LENGTH) {
    throw fail('', `has ${text.length} characters, the limit is ${MAX_CONFIG_LENGTH}`)
  }
  if (nestingOf(text) > MAX_CONFIG_DEPTH) {
    throw fail('', `nested deeper than ${MAX_CONFIG_DEPTH} levels`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw fail('', `not valid JSON: ${(error as Error).message}`)
  }
  return readMessage(json, 'ModelConfig', '', fail) as ModelConfig
}

type Fail = (path: string, problem: string) => ServerError

/** Deepest nesting of brackets outside strings: measured before parsing, so that nothing below recurses far. */
function nestingOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const match of text.matchAll(/"(?:[^"\\]+|\\.)*"?|[[{]|[\]}]/gs)) {
    const char = match[0]
    if (char === '[' || char === '{') deepest = Math.max(deepest, ++depth)
    else if (char === ']' || char === '}') depth -= 1
  }
  return deepest
}

function readMessage(json: unknown, type: string, path: string, fail: Fail): object {
  if (!isObject(json)) throw fail(path, `expected an object, found ${shown(json)}`)
  const fields = MESSAGES[type] ?? []
  const message: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(json)) {
    const field = fields.find((known) => known.name === name || camel(known.name) === name)
    const at = path === '' ? name : `${path}.${name}`
    if (field === undefined) {
      const names = fields.map((known) => known.name)
      throw fail(at, `unknown field '${name}' in ${type}${didYouMean(name, names)}`)
    }
    if (value === null) continue
    if (Object.hasOwn(message, field.name)) throw fail(at, 'given more than once')
    if (field.oneof !== undefined) {
      const other = fields.find((f) => f.oneof === field.oneof && Object.hasOwn(message, f.name))
      if (other !== undefined) {
        throw fail(at, `cannot be given together with '${other.name}' (one of ${field.oneof})`)
      }
    }
    message[field.name] = readField(value, field, at, fail)
  }
  return message
}

function readField(json: unknown, field: Field, path: string, fail: Fail): unknown {
  if (field.label === 'many') {
    if (!Array.isArray(json)) throw fail(path, `expected a list, found ${shown(json)}`)
    return json.map((element, i) => readValue(element, field, `${path}[${i}]`, fail))
  }
  if (field.label === 'map') {
    if (!isObject(json)) throw fail(path, `expected an object, found ${shown(json)}`)
    const map: Record<string, unknown> = Object.create(null)
    for (const [key, value] of Object.entries(json)) {
      const at = `${path}[${JSON.stringify(key)}]`
      const name = field.key === 'uint64' ? String(readInteger(key, 'uint64', at, fail)) : key
      map[name] = readValue(value, field, at, fail)
    }
    return map
  }
  return readValue(json, field, path, fail)
}

function readValue(json: unknown, field: Field, path: string, fail: Fail): unknown {
  const { kind } = field
  if (kind === 'message') return readMessage(json, field.message ?? '', path, fail)
  if (kind === 'enum') return readEnum(json, ENUMS[field.enumName ?? 'DataType'], path, fail)
  if (isIntegerKind(kind)) return readInteger(json, kind, path, fail)
  if (kind === 'float' || kind === 'double') return readFloat(json, kind, path, fail)
  if (kind === 'string' ? typeof json === 'string' : typeof json === 'boolean') return json
  throw fail(
    path,
    `expected ${kind === 'string' ? 'a string' : 'true or false'}, found ${shown(json)}`,
  )
}

function readEnum(json: unknown, names: readonly string[], path: string, fail: Fail): string {
  const name =
    typeof json === 'number'
      ? names[json]
      : typeof json === 'string'
        ? names.find((known) => known === json.toUpperCase())
        : undefined
  if (name !== undefined) return name
  const hint = typeof json === 'string' ? didYouMean(json, names) : ''
  throw fail(path, `expected one of ${names.join(', ')}, found ${shown(json)}${hint}`)
}

function readInteger(
  json: unknown,
  kind: 'int32' | 'uint32' | 'int64' | 'uint64',
  path: string,
  fail: Fail,
): number {
  const number = numberOf(json)
  if (number === undefined || (Number.isFinite(number) && !Number.isInteger(number))) {
    throw fail(path, `expected an integer, found ${shown(json)}`)
  }
  const problem = rangeProblem(kind, number, shown(json))
  if (problem !== undefined) throw fail(path, problem)
  return number === 0 ? 0 : number
}

function readFloat(json: unknown, kind: 'float' | 'double', path: string, fail: Fail): number {
  const named =
    typeof json === 'string' && /^(NaN|-?Infinity)$/.test(json) ? Number(json) : undefined
  const number = named ?? numberOf(json)
  if (number === undefined) throw fail(path, `expected a number, found ${shown(json)}`)
  return kind === 'float' ? Math.fround(number) : number
}

function numberOf(json: unknown): number | undefined {
  if (typeof json === 'number') return json
  if (typeof json !== 'string' || !/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(json))
    return undefined
  return Number(json)
}

function isObject(json: unknown): json is object {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, char: string) => char.toUpperCase())
}

function shown(json: unknown): string {
  if (Array.isArray(json)) return 'a list'
  if (isObject(json)) return 'an object'
  const text = typeof json === 'string' ? JSON.stringify(json) : String(json)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
