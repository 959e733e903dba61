import type { BackendFinder } from '../../../core/backend/finder.ts'
import type { Backend } from '../../../core/backend/types.ts'
import type { Log } from '../../../core/platform.ts'
import { MisuseError } from '../../cli/commands/arguments.ts'
import type { CommandOutput } from '../../cli/commands/output.ts'
import type { ServeOptions } from '../../cli/options.ts'
import { parseArguments } from '../../cli/parse.ts'
import { nodeClock } from '../../platform/clock.ts'
import { openBackends } from './backends.ts'

/** What a command works with. */
export interface Context {
  readonly options: ServeOptions
  readonly backends: ReadonlyMap<string, Backend>
  readonly finder: BackendFinder
  readonly log: Log
}

/** Opens what the server's flags say, for a command, and closes it after. Throws MisuseError for what are no flags. */
export async function withBackends(
  flags: readonly string[],
  output: CommandOutput,
  run: (context: Context) => Promise<number>,
): Promise<number> {
  const parsed = parseArguments({ argv: flags, env: process.env, program: 'nereid' })
  if (parsed.kind !== 'serve') {
    throw new MisuseError(parsed.kind === 'error' ? parsed.message : 'no such flag')
  }
  const { options } = parsed
  const log = commandLog(output)
  const quiet = { ...options, metrics: { ...options.metrics, gpu: false } }
  const opened = await openBackends(quiet, { clock: nodeClock(), log })
  try {
    const backends = new Map(opened.backends.map((backend) => [backend.name, backend]))
    return await run({ options, backends, finder: opened.finder, log })
  } finally {
    await opened.finder.close()
    for (const backend of opened.backends) await backend.close?.()
    await opened.close()
  }
}

/** What is worth knowing, without time and process. */
function commandLog({ err }: CommandOutput): Log {
  return {
    error: (message) => err(`error: ${message}\n`),
    warning: (message) => err(`warning: ${message}\n`),
    info: () => {},
    verbose: () => {},
  }
}
