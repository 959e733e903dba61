import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'

const MAX_INT32 = 0x7fff_ffff

/** `parameters { key value { string_value } }` of a config; `undefined` where it is not set. */
export function parameter(config: ModelConfig, key: string): string | undefined {
  const parameters = config.parameters
  if (parameters === undefined || !Object.hasOwn(parameters, key)) return undefined
  return parameters[key]?.string_value ?? ''
}

/** A 32-bit integer as C's `stoi` reads it. Throws INVALID_ARG that names `what`. */
export function parseInteger(text: string, what: string): number {
  const digits = /^\s*([+-]?\d{1,10})/.exec(text)?.[1]
  const value = Number(digits)
  if (digits === undefined || Math.abs(value) > MAX_INT32) {
    throw new ServerError(
      'INVALID_ARG',
      `failed to convert '${text}' to integral number for ${what}`,
    )
  }
  return value
}

/** `true`/`false`/`1`/`0` in any case. Throws INVALID_ARG that names `what`. */
export function parseBoolean(text: string, what: string): boolean {
  const lower = text.toLowerCase()
  if (lower === 'true' || lower === '1') return true
  if (lower === 'false' || lower === '0') return false
  throw new ServerError('INVALID_ARG', `failed to convert '${text}' to boolean for ${what}`)
}
