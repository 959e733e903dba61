import { messageOf } from '../../../core/errors.ts'
import { commandArguments, commandUsage, MisuseError } from '../../cli/commands/arguments.ts'
import type { CommandOutput } from '../../cli/commands/output.ts'
import { withBackends } from './command-context.ts'

/** A command line that asks for what there is not. */
const MISUSE = 2
/** As long as a timer can be. */
const LONG_MS = 0x7fff_ffff

/** Runs `nereid inspect` and the like. Resolves with the exit status; what went wrong is printed. */
export async function runCommand(
  name: string,
  argv: readonly string[],
  output: CommandOutput,
): Promise<number> {
  // Workers do not keep a process alive by themselves: in a server, its ports do.
  const alive = setInterval(() => {}, LONG_MS)
  try {
    if (name === 'inspect') return await inspect(argv, output)
    if (name === 'check') {
      const { checkCommand } = await import('./check-command.ts')
      return await checkCommand(argv, output)
    }
    throw new MisuseError(`there is no command '${name}'`)
  } catch (error) {
    output.err(`nereid ${name}: ${messageOf(error)}\n`)
    return error instanceof MisuseError ? MISUSE : 1
  } finally {
    clearInterval(alive)
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
