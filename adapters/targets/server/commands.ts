import type { BackendFinder } from '../../../core/backend/finder.ts'
import type { Backend } from '../../../core/backend/types.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Log } from '../../../core/platform.ts'
import { commandArguments, commandUsage, MisuseError } from '../../cli/commands/arguments.ts'
import type { CommandOutput } from '../../cli/commands/output.ts'
import type { ServeOptions } from '../../cli/options.ts'
import { parseArguments } from '../../cli/parse.ts'
import { nodeClock } from '../../platform/clock.ts'
import { openBackends } from './backends.ts'

/** A command line that asks for what there is not. */
const MISUSE = 2

/** What a command works with. */
interface Context {
  readonly options: ServeOptions
  readonly backends: ReadonlyMap<string, Backend>
  readonly finder: BackendFinder
  readonly log: Log
}

/** Runs `nereid inspect` and the like. Resolves with the exit status; what went wrong is printed. */
export async function runCommand(
  name: string,
  argv: readonly string[],
  output: CommandOutput,
): Promise<number> {
  try {
    if (name === 'inspect') return await inspect(argv, output)
    throw new MisuseError(`there is no command '${name}'`)
  } catch (error) {
    output.err(`nereid ${name}: ${messageOf(error)}\n`)
    return error instanceof MisuseError ? MISUSE : 1
  }
}

async function inspect(argv: readonly string[], output: CommandOutput): Promise<number> {
  const { INSPECT_FLAGS, INSPECT_HELP, inspectCommand } = await import(
    '../../cli/commands/inspect-command.ts'
  )
  if (argv.includes('--help')) {
    output.out(commandUsage(INSPECT_HELP))
    return 0
  }
  const { flags, paths, server } = commandArguments(argv, INSPECT_FLAGS)
  const { diskStore } = await import('../../stores/disk.ts')
  return withBackends(server, output, ({ options, backends, finder, log }) => {
    const { backendConfig, modelConfigName: configName } = options
    const openStore = (root: string) => diskStore({ root })
    const all = { backends, finder, backendConfig, configName, openStore, log }
    return inspectCommand(paths, flags, all, output)
  })
}

async function withBackends(
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
