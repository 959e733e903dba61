import type { ModelFiles } from './snapshot.ts'

/** What happened between two scans of the same repositories. */
export interface RepositoryDiff {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

export function diffRepository(
  before: ReadonlyMap<string, ModelFiles>,
  after: ReadonlyMap<string, ModelFiles>,
): RepositoryDiff {
  const added: string[] = []
  const changed: string[] = []
  for (const [name, files] of after) {
    const old = before.get(name)
    if (old === undefined) added.push(name)
    else if (!sameFiles(old, files)) changed.push(name)
  }
  const removed = [...before.keys()].filter((name) => !after.has(name))
  return { added, changed, removed }
}

/** True when nothing in the model's folder changed. */
export function sameFiles(a: ModelFiles, b: ModelFiles): boolean {
  if (!sameShared(a, b) || a.versions.size !== b.versions.size) return false
  if (a.configPath !== b.configPath || a.configTag !== b.configTag) return false
  for (const [version, tag] of a.versions) if (b.versions.get(version) !== tag) return false
  return true
}

/** True when a version loaded from `a` would be loaded from the very same files in `b`, the configuration aside. */
export function sameVersion(a: ModelFiles, b: ModelFiles, version: number): boolean {
  const tag = a.versions.get(version)
  return tag !== undefined && tag === b.versions.get(version) && sameShared(a, b)
}

function sameShared(a: ModelFiles, b: ModelFiles): boolean {
  return a.store === b.store && a.sharedTag === b.sharedTag
}
