import { ServerError } from '../../errors.ts'
import { missingMember, TYPE_ERRORS } from './json-error.ts'

/** A number that was not written as a 64-bit integer: `1.0` and `1e3` are doubles, `1` is not. */
export class JsonDouble {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** Integers are `number` while a double counts them exactly, else `bigint`. */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | JsonDouble
  | JsonValue[]
  | Map<string, JsonValue>

/** The member `name`, undefined where `value` is no object or has none. */
export function find(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return value instanceof Map ? value.get(name) : undefined
}

export function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}

function fail(context: string, reason: string): ServerError {
  return invalid(context === '' ? reason : `${context}: ${reason}`)
}

export function asString(value: JsonValue | undefined, context = ''): string {
  if (typeof value !== 'string') throw fail(context, TYPE_ERRORS.string)
  return value
}

export function asBoolean(value: JsonValue | undefined, context = ''): boolean {
  if (typeof value !== 'boolean') throw fail(context, TYPE_ERRORS.boolean)
  return value
}

/** An unsigned 64-bit integer; beyond 2^53 a bigint. */
export function asUnsigned(value: JsonValue | undefined, context = ''): number | bigint {
  if ((typeof value !== 'number' && typeof value !== 'bigint') || value < 0) {
    throw fail(context, TYPE_ERRORS.unsigned)
  }
  return value
}

export function memberArray(value: JsonValue, name: string, context: string): JsonValue[] {
  const member = find(value, name)
  if (member === undefined) throw fail(context, missingMember(name))
  if (!Array.isArray(member)) throw fail(context, TYPE_ERRORS.array)
  return member
}

export function memberString(value: JsonValue, name: string, context: string): string {
  const member = find(value, name)
  if (member === undefined) throw fail(context, missingMember(name))
  return asString(member, context)
}
