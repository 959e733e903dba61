import { forwardHeaders } from '../../core/access/forward-headers.ts'
import type { Restriction } from '../../core/access/restrictions.ts'
import type { RateResource } from '../../core/server-options.ts'
import { type Flag, FlagError } from './flag-types.ts'

/** Booleans as Triton reads them, in any case. */
export function parseBoolean(text: string): boolean {
  const lower = text.toLowerCase()
  if (lower === 'true' || lower === 'on' || lower === '1') return true
  if (lower === 'false' || lower === 'off' || lower === '0') return false
  throw new FlagError(`invalid value for bool option: ${text}`)
}

const INTEGER = /^[+-]?\d+$/
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** The number `text` stands for, whole and within the flag's bounds. */
export function parseNumber(flag: Flag, text: string): number {
  const number = Number(text)
  if (!(flag.type === 'integer' ? INTEGER : FLOAT).test(text)) {
    throw new FlagError(`Invalid option value. Got ${text}`)
  }
  const { min = Number.NEGATIVE_INFINITY, max = Number.MAX_SAFE_INTEGER } = flag
  if (number < min || number > max) {
    throw new FlagError(`Provided option value is out of bound. Got ${text}`)
  }
  return number
}

export interface Setting {
  /** '' where the setting is for all. */
  readonly name: string
  readonly key: string
  readonly value: string
}

/** `<name>,<key>=<value>` or `<key>=<value>`, the format of `--backend-config` and its like. */
export function parseSetting(text: string, format: string, options: { named: boolean }): Setting {
  const comma = text.indexOf(',')
  const equals = text.indexOf('=', comma + 1)
  // A comma behind the first '=' belongs to the value.
  const named = comma >= 0 && (text.indexOf('=') < 0 || comma < text.indexOf('='))
  const start = named ? comma + 1 : 0
  const at = named ? equals : text.indexOf('=')
  const setting = {
    name: named ? text.slice(0, comma) : '',
    key: at < 0 ? '' : text.slice(start, at),
    value: at < 0 ? '' : text.slice(at + 1),
  }
  const bad = setting.key === '' || setting.value === '' || (named && setting.name === '')
  if (bad || (options.named && !named)) {
    throw new FlagError(`${format}. Got ${text}`)
  }
  return setting
}

export const backendSetting = (text: string): Setting =>
  parseSetting(text, "--backend-config option format is '<backend name>,<setting>=<value>'", {
    named: false,
  })

export const metricsSetting = (text: string): Setting => {
  const format = '--metrics-config option format is <setting>=<value>'
  const setting = parseSetting(text, format, { named: false })
  if (setting.name !== '') throw new FlagError(`${format}. Got ${text}`)
  return setting
}

export const cacheSetting = (text: string): Setting =>
  parseSetting(
    text,
    'No cache specified. --cache-config option format is <cache name>,<setting>=<value>',
    { named: true },
  )

export const hostPolicySetting = (text: string): Setting =>
  parseSetting(text, "--host-policy option format is '<policy name>,<setting>=<value>'", {
    named: true,
  })

/** APIs that `--http-restricted-api` and `--grpc-restricted-protocol` can name. */
export const RESTRICTED_APIS = [
  'health',
  'metadata',
  'inference',
  'shared-memory',
  'model-config',
  'model-repository',
  'statistics',
  'trace',
  'logging',
] as const
export type RestrictedApi = (typeof RESTRICTED_APIS)[number]

/** `<api>,<api>:<key>=<value>`. */
export function parseRestriction(flag: string, what: string, text: string): Restriction {
  const colon = text.indexOf(':')
  const equals = text.indexOf('=', colon + 1)
  if (colon <= 0 || equals <= colon + 1 || equals === text.length - 1) {
    throw new FlagError(`--${flag} option format is '<config name>:<setting>=<value>'. Got ${text}`)
  }
  const apis = text
    .slice(0, colon)
    .split(',')
    .map((api) => {
      const known = RESTRICTED_APIS.find((name) => name === api)
      if (known === undefined) throw new FlagError(`unknown restricted ${what} '${api}'`)
      return known
    })
  return { apis, key: text.slice(colon + 1, equals), value: text.slice(equals + 1) }
}

/** All occurrences of a flag of {@link parseRestriction}: no API may be in two of them. */
export function parseRestrictions(
  flag: string,
  what: string,
  values: readonly string[],
): readonly Restriction[] {
  const seen = new Set<string>()
  return values.map((text) => {
    const restriction = parseRestriction(flag, what, text)
    for (const api of restriction.apis) {
      if (seen.has(api)) {
        throw new FlagError(
          `restricted ${what} '${api}' can not be specified in multiple config groups`,
        )
      }
      seen.add(api)
    }
    return restriction
  })
}

/** `<device>:<amount>`. */
export function checkPair(text: string): void {
  const parts = text.split(':')
  if (parts.length !== 2) {
    throw new FlagError(
      `Cannot parse pair option due to incorrect number of inputs.--<pair option> argument requires format <first>:<second>. Found: ${text}`,
    )
  }
  for (const part of parts) {
    if (!FLOAT.test(part)) throw new FlagError(`Invalid option value. Got ${part}`)
  }
}

/** `<resource>:<count>` or `<resource>:<count>:<device>`. */
export function rateResource(text: string): RateResource {
  const [, name = '', count, device] = /^([^:]+):(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (name === '') {
    throw new FlagError(
      `--rate-limit-resource option format is '<resource_name>:<count>:<device>' or '<resource_name>:<count>'. Got ${text}`,
    )
  }
  const resource = { name, count: Number(count) }
  return device === undefined ? resource : { ...resource, device: Number(device) }
}

/** `<first>-<last>`. */
export function checkPortRange(text: string): void {
  if (!/^\d+-\d+$/.test(text)) {
    throw new FlagError(
      `Cannot parse pair option due to incorrect number of inputs.--<pair option> argument requires format <first>-<second>. Found: ${text}`,
    )
  }
}

/** A pattern of header names, in RE2's syntax. */
export function checkPattern(text: string): void {
  try {
    forwardHeaders(text)
  } catch (error) {
    throw new FlagError(error instanceof Error ? error.message : String(error))
  }
}

/** `<device>:<fraction>` of `--model-load-gpu-limit`. */
export function gpuLoadLimit(text: string): readonly [device: number, fraction: number] {
  checkPair(text)
  const [device = Number.NaN, fraction = Number.NaN] = text.split(':').map(Number)
  if (!Number.isInteger(device) || device < 0 || !(fraction >= 0 && fraction <= 1)) {
    throw new FlagError(
      `--model-load-gpu-limit takes a GPU and a fraction from 0.0 to 1.0. Got ${text}`,
    )
  }
  return [device, fraction]
}
