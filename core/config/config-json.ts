import { ENUMS } from './enums.ts'
import { type Field, MESSAGES } from './fields.ts'
import { shortestFloat } from './scalars.ts'
import type { ModelConfig } from './types.ts'

export type Json = string | number | boolean | Json[] | { [key: string]: Json }

/**
 * The body of Triton's config endpoint (config version 1): unset scalars, lists and maps are printed, unset messages and
 * members of a oneof are not. 64-bit integers are numbers except the few that Triton leaves quoted.
 */
export function configToJson(config: ModelConfig): { [key: string]: Json } {
  return messageToJson('ModelConfig', config as Readonly<Record<string, unknown>>)
}

function messageToJson(
  type: string,
  message: Readonly<Record<string, unknown>>,
): { [key: string]: Json } {
  const json: { [key: string]: Json } = {}
  for (const field of MESSAGES[type] ?? []) {
    const value = message[field.name]
    if (value !== undefined) json[field.name] = fieldToJson(field, value)
    else if (isPrintedUnset(field)) json[field.name] = unsetJson(field)
  }
  return json
}

function isPrintedUnset(field: Field): boolean {
  if (field.label !== 'one') return true
  return field.kind !== 'message' && field.oneof === undefined && field.json !== 'omit-default'
}

function unsetJson(field: Field): Json {
  if (field.label === 'many') return []
  if (field.label === 'map') return {}
  if (field.kind === 'string') return ''
  if (field.kind === 'bool') return false
  if (field.kind === 'enum') return ENUMS[field.enumName ?? 'DataType'][0] ?? ''
  return field.json === 'quoted' ? '0' : 0
}

function fieldToJson(field: Field, value: unknown): Json {
  if (field.label === 'many') {
    return (value as readonly unknown[]).map((element) => valueToJson(field, element))
  }
  if (field.label === 'map') {
    // Keys are the user's: without a prototype `__proto__` is a key as any other.
    const json: { [key: string]: Json } = Object.create(null)
    for (const [key, entry] of Object.entries(value as object))
      json[key] = valueToJson(field, entry)
    return json
  }
  return valueToJson(field, value)
}

function valueToJson(field: Field, value: unknown): Json {
  if (field.kind === 'message') {
    return messageToJson(field.message ?? '', value as Readonly<Record<string, unknown>>)
  }
  if (typeof value !== 'number') return value as string | boolean
  if (field.json === 'quoted') return String(value)
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity'
  return field.kind === 'float' ? shortestFloat(value) : value
}
