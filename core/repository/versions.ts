import type { VersionPolicy } from '../config/types.ts'

/** Versions of one model that a scan looks at; the rest are ignored with a log line. */
export const MAX_VERSIONS = 1_000

const VERSION_NAME = /^[1-9][0-9]*$/

/** The version a folder name stands for: a positive integer without leading zeros that a double can count. */
export function parseVersion(folder: string): number | undefined {
  if (!VERSION_NAME.test(folder)) return undefined
  const version = Number(folder)
  return Number.isSafeInteger(version) ? version : undefined
}

/** What a policy asks of the versions that exist. */
export interface VersionChoice {
  /** To be served, ascending. */
  readonly versions: readonly number[]
  /** Named by a `specific` policy, but not there. */
  readonly missing: readonly number[]
}

/** Applies a `version_policy`; absent means the one highest version. */
export function chooseVersions(
  policy: VersionPolicy | undefined,
  existing: Iterable<number>,
): VersionChoice {
  const ascending = [...existing].sort((a, b) => a - b)
  if (policy?.specific !== undefined) {
    const wanted = [...new Set(policy.specific.versions ?? [])].sort((a, b) => a - b)
    return {
      versions: wanted.filter((version) => ascending.includes(version)),
      missing: wanted.filter((version) => !ascending.includes(version)),
    }
  }
  if (policy?.all !== undefined) return { versions: ascending, missing: [] }
  // `latest {}` without a number is 1, as everywhere in the config.
  const count = policy?.latest?.num_versions ?? 1
  return { versions: count > 0 ? ascending.slice(-count) : [], missing: [] }
}
