import type { Parameters, ParameterValue } from '../../../core/infer.ts'

/** Parameters as they travel: integers as text in an array, so that they stay apart from doubles and keep all digits. */
export function parametersJson(parameters: Parameters): string {
  const record: Record<string, unknown> = Object.create(null)
  for (const [name, value] of parameters) {
    record[name] = typeof value === 'bigint' ? [String(value)] : value
  }
  return JSON.stringify(record)
}

/** undefined = there are none. Throws for what are no parameters. */
export function readParameters(value: unknown): Parameters | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object') throw new Error('parameters are an object')
  const entries = Object.entries(value)
  if (entries.length === 0) return undefined
  return new Map(entries.map(([name, one]) => [name, readValue(name, one)]))
}

function readValue(name: string, value: unknown): ParameterValue {
  if (Array.isArray(value) && typeof value[0] === 'string' && /^-?\d{1,20}$/.test(value[0])) {
    return BigInt(value[0])
  }
  const type = typeof value
  if (type === 'string' || type === 'boolean' || type === 'number') return value as ParameterValue
  throw new Error(`parameter '${name}' has a value that none has`)
}
