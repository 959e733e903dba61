import type { CheckResult } from '../../../core/check/types.ts'
import type { CommandFlag, CommandHelp } from './arguments.ts'
import { checkJson, checkLines, checkSummary, checkTable } from './check-text.ts'
import type { CommandOutput } from './output.ts'

export const CHECK_FLAGS: readonly CommandFlag[] = [
  {
    name: 'load',
    help: 'Loads every model as the server would, warm-up included; runs their code',
  },
  { name: 'strict', help: 'Warnings count as errors' },
  {
    name: 'format',
    choices: ['table', 'lines', 'json'],
    help: 'Default: table on a terminal, else lines',
  },
]

export const CHECK_HELP: CommandHelp = {
  synopsis: 'nereid check [--load] [--strict] [--format table|lines|json] REPOSITORY…',
  purpose: `Says everything that is wrong with repositories (folders, s3://…, https://…) before they are served.
Models are opened for what they say of themselves; code (Python, TypeScript, plug-ins) is only run with --load.
The exit status is 1 where something is wrong, else 0.`,
  flags: CHECK_FLAGS,
}

/** Prints what was found. Returns the exit status. */
export function reportCheck(
  result: CheckResult,
  flags: ReadonlyMap<string, string>,
  output: CommandOutput,
): number {
  const format = flags.get('format') ?? (output.terminal ? 'table' : 'lines')
  if (format === 'json') output.out(checkJson(result))
  else output.out(format === 'table' ? checkTable(result) : checkLines(result))
  output.err(checkSummary(result))
  const counts = (severity: string): boolean => severity === 'error' || flags.has('strict')
  return result.findings.some(({ severity }) => counts(severity)) ? 1 : 0
}
