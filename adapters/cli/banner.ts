import { styleText } from 'node:util'
import { escapeControls } from '../../core/log-line.ts'
import type { ModelRow } from './tables.ts'

/** What a person at a terminal wants to know: where it is, what it serves, how to stop it. */
export function banner(facts: {
  readonly addresses: Readonly<Record<string, string>>
  readonly rows: readonly ModelRow[]
  readonly readyMs: number
}): string {
  const failed = facts.rows.filter((row) => row.status !== 'READY')
  const ready = facts.rows.length - failed.length
  const lines = [
    `${styleText('bold', 'nereid')} is ready after ${(facts.readyMs / 1000).toFixed(2)} s`,
    ...Object.entries(facts.addresses).map(
      ([name, url]) => `  ${name.padEnd(8)} ${styleText('cyan', url)}`,
    ),
    `  Models   ${styleText('green', `${ready} ready`)}${failed.length === 0 ? '' : `, ${styleText('red', `${failed.length} not`)}`}`,
    ...failed.map((row) =>
      styleText('red', `           ${escapeControls(`${row.name} ${row.version}: ${row.status}`)}`),
    ),
    `  ${styleText('dim', 'Ctrl-C stops it')}`,
  ]
  return `${lines.join('\n')}\n\n`
}
