import type { ModelStore } from '../platform.ts'
import type { IndexEntry } from '../server-types.ts'
import type { ModelRecord } from './lifecycle.ts'
import { DUPLICATE_REASON } from './scan.ts'

/**
 * The repository index: every model folder of every repository with the states of its versions, by name. A folder that
 * was never loaded has only its name; one that lies in several repositories is listed as unavailable, also where only
 * ready ones are asked for (Triton does so).
 */
export async function repositoryIndex(options: {
  readonly stores: readonly ModelStore[]
  readonly records: ReadonlyMap<string, ModelRecord>
  readonly readyOnly: boolean
}): Promise<readonly IndexEntry[]> {
  const { stores, records, readyOnly } = options
  const places = new Map<string, number>()
  for (const store of stores) {
    for (const entry of await store.list('')) {
      if (entry.kind === 'directory') places.set(entry.path, (places.get(entry.path) ?? 0) + 1)
    }
  }
  const index: IndexEntry[] = []
  for (const name of [...places.keys()].sort()) {
    const record = records.get(name)
    if (places.get(name) !== 1) {
      index.push({ name, state: 'UNAVAILABLE', reason: DUPLICATE_REASON })
    } else if (record === undefined || record.versions.size === 0) {
      if (!readyOnly) index.push(unversioned(name, record?.problem ?? ''))
    } else {
      for (const { version, state, reason } of record.sorted()) {
        if (readyOnly && state !== 'READY') continue
        const entry = { name, version: String(version), state }
        index.push(reason === '' ? entry : { ...entry, reason })
      }
    }
  }
  return index
}

function unversioned(name: string, problem: string): IndexEntry {
  return problem === '' ? { name } : { name, state: 'UNAVAILABLE', reason: problem }
}
