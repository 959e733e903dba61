import { ServerError } from '../errors.ts'
import type { TrafficPolicy } from './types.ts'

/** The model config's parameter that holds a policy as JSON. */
export const TRAFFIC_PARAMETER = 'nereid_traffic'
/** Characters of a policy as text. */
export const MAX_POLICY_LENGTH: number = 16 * 1024
/** Versions that one policy may name. */
export const MAX_POLICY_VERSIONS = 64
/** A weight's upper bound: whatever is asked for can be said with smaller ones. */
export const MAX_WEIGHT = 1_000_000
/** Characters of the name of a sticky parameter. */
export const MAX_STICKY_NAME = 256

/** What holds where nothing is said: everything goes to the highest version. */
export const NO_POLICY: TrafficPolicy = { weights: new Map(), stickyBy: '', shadow: null }

const MEMBERS = ['weights', 'sticky_by', 'shadow']
const VERSION = /^[1-9][0-9]{0,15}$/

/**
 * Reads a policy:
 *
 *     {"weights": {"1": 90, "2": 10}, "sticky_by": "x-user", "shadow": {"version": 3, "fraction": 0.1}}
 *
 * Every member is optional; weights are numbers from 0 to {@link MAX_WEIGHT} of which one is above 0. Throws INVALID_ARG.
 */
export function parsePolicy(text: string): TrafficPolicy {
  if (text.length > MAX_POLICY_LENGTH) {
    throw invalid(`has ${text.length} characters, the limit is ${MAX_POLICY_LENGTH}`)
  }
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch (error) {
    throw invalid(`is not JSON: ${error instanceof Error ? error.message : ''}`)
  }
  if (!isObject(root)) throw invalid('must be a JSON object')
  const unknown = Object.keys(root).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) {
    throw invalid(`has no member '${unknown.slice(0, 80)}', only ${MEMBERS.join(', ')}`)
  }
  return {
    weights: parseWeights(root['weights']),
    stickyBy: parseSticky(root['sticky_by']),
    shadow: parseShadow(root['shadow']),
  }
}

/** A policy as {@link parsePolicy} reads it. */
export function policyJson({ weights, stickyBy, shadow }: TrafficPolicy): Record<string, unknown> {
  return {
    weights: Object.fromEntries(weights),
    ...(stickyBy === '' ? {} : { sticky_by: stickyBy }),
    ...(shadow === null ? {} : { shadow }),
  }
}

function parseWeights(value: unknown): ReadonlyMap<number, number> {
  const weights = new Map<number, number>()
  if (value === undefined || value === null) return weights
  if (!isObject(value)) throw invalid('weights must be an object of version and weight')
  const entries = Object.entries(value)
  if (entries.length > MAX_POLICY_VERSIONS) {
    throw invalid(`names ${entries.length} versions, the limit is ${MAX_POLICY_VERSIONS}`)
  }
  let sum = 0
  for (const [name, weight] of entries) {
    if (!VERSION.test(name)) throw invalid(`version '${name.slice(0, 80)}' is not a number above 0`)
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= MAX_WEIGHT)) {
      throw invalid(
        `weight of version ${name} must be a number from 0 to ${MAX_WEIGHT}, got ${shown(weight)}`,
      )
    }
    weights.set(Number(name), weight)
    sum += weight
  }
  if (entries.length > 0 && sum === 0) throw invalid('gives no version a weight above 0')
  return weights
}

function parseSticky(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && value.length <= MAX_STICKY_NAME) return value
  throw invalid(`sticky_by must be the name of a parameter, got ${shown(value)}`)
}

function parseShadow(value: unknown): TrafficPolicy['shadow'] {
  if (value === undefined || value === null) return null
  if (!isObject(value)) throw invalid('shadow must be an object of version and fraction')
  const version = Number(value['version'])
  const fraction = value['fraction'] ?? 1
  if (!VERSION.test(String(value['version']))) {
    throw invalid(`shadow version must be a number above 0, got ${shown(value['version'])}`)
  }
  if (typeof fraction !== 'number' || !(fraction > 0 && fraction <= 1)) {
    throw invalid(`shadow fraction must be above 0 and at most 1, got ${shown(fraction)}`)
  }
  return { version, fraction }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80)
}

function invalid(what: string): ServerError {
  return new ServerError('INVALID_ARG', `traffic policy ${what}`)
}
