import { badModel } from './bad-model.ts'

/** An object of a JSON or UBJSON document. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  )
}

/** The object at `key`; throws where there is none. */
export function fieldsAt(parent: Fields, key: string): Fields {
  const value = ownValue(parent, key)
  if (!isFields(value)) throw badModel(`'${key}' is missing or no object`)
  return value
}

/** The text at `key`; numbers count as such. `undefined` where there is none. */
export function textAt(parent: Fields, key: string): string | undefined {
  const value = ownValue(parent, key)
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value : undefined
}

/** The whole number at `key`, as text or as a number; throws where there is none, `fallback` where it is absent. */
export function wholeAt(parent: Fields, key: string, fallback?: number): number {
  const text = textAt(parent, key)
  if (text === undefined && fallback !== undefined) return fallback
  const value = Number(text)
  if (text === undefined || text === '' || !Number.isSafeInteger(value)) {
    throw badModel(`'${key}' is no whole number`)
  }
  return value
}

/** The list at `key`; throws where there is none. */
export function listAt(parent: Fields, key: string): ArrayLike<unknown> {
  const value = ownValue(parent, key)
  if (!isList(value)) throw badModel(`'${key}' is missing or no list`)
  return value
}

/** The numbers at `key` (true and false count), or null where it is absent. Throws unless it has `length` of them. */
export function numbersAt(parent: Fields, key: string, length?: number): Float64Array | null {
  const value = ownValue(parent, key)
  if (value === undefined || value === null) return null
  if (!isList(value)) throw badModel(`'${key}' is no list`)
  if (length !== undefined && value.length !== length) {
    throw badModel(`'${key}' has ${value.length} elements instead of ${length}`)
  }
  const numbers = new Float64Array(value.length)
  for (let i = 0; i < numbers.length; i++) {
    const one = value[i]
    if (typeof one === 'number') numbers[i] = one
    else if (typeof one === 'boolean') numbers[i] = one ? 1 : 0
    else throw badModel(`element ${i} of '${key}' is no number`)
  }
  return numbers
}

/** As {@link numbersAt}, where they must be. */
export function needNumbers(parent: Fields, key: string, length?: number): Float64Array {
  const numbers = numbersAt(parent, key, length)
  if (numbers === null) throw badModel(`'${key}' is missing`)
  return numbers
}

function ownValue(parent: Fields, key: string): unknown {
  return Object.hasOwn(parent, key) ? parent[key] : undefined
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}
