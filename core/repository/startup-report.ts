import type { ModelRecord } from './lifecycle.ts'

/** One line of the start-up table. */
export interface StartupRow {
  readonly name: string
  /** '-' for a model of which no version could be tried. */
  readonly version: string
  /** `READY`, or the state and its reason. */
  readonly status: string
}

/** What became of every model, by name and version. */
export function startupReport(records: ReadonlyMap<string, ModelRecord>): readonly StartupRow[] {
  const rows: StartupRow[] = []
  for (const name of [...records.keys()].sort()) {
    const record = records.get(name)
    if (record === undefined) continue
    for (const { version, state, reason } of record.sorted()) {
      rows.push({
        name,
        version: String(version),
        status: reason === '' ? state : `${state}: ${reason}`,
      })
    }
    if (record.versions.size === 0) {
      rows.push({
        name,
        version: '-',
        status: record.problem === '' ? 'Not loaded yet' : `Not loaded: ${record.problem}`,
      })
    }
  }
  return rows
}
