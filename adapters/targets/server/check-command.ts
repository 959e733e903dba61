import { checkRepositories } from '../../../core/check/check-repositories.ts'
import type { CheckResult, Finding } from '../../../core/check/types.ts'
import { createServer } from '../../../core/server.ts'
import { commandArguments, commandUsage, MisuseError } from '../../cli/commands/arguments.ts'
import { CHECK_FLAGS, CHECK_HELP, reportCheck } from '../../cli/commands/check-command.ts'
import type { CommandOutput } from '../../cli/commands/output.ts'
import { chooseRepositories } from '../../cli/repositories.ts'
import { nodePlatform } from '../../platform/node.ts'
import { type Context, withBackends } from './command-context.ts'
import { openRepositories } from './stores.ts'

/** Backends of which a model is a program. */
const CODE: ReadonlySet<string> = new Set(['python', 'typescript'])

/** `nereid check`. Resolves with the exit status. */
export async function checkCommand(
  argv: readonly string[],
  output: CommandOutput,
): Promise<number> {
  if (argv.includes('--help')) {
    output.out(commandUsage(CHECK_HELP))
    return 0
  }
  const { flags, paths, server } = commandArguments(argv, CHECK_FLAGS)
  return withBackends(server, output, async (context) => {
    const roots = paths.length > 0 ? paths : context.options.modelRepositories
    if (roots.length === 0) throw new MisuseError('check takes one or more repositories')
    const { problem } = chooseRepositories(roots, '')
    if (problem !== '') throw new MisuseError(problem.replace(/^.* - /, ''))
    const platform = nodePlatform({ settings: QUIET })
    const load = flags.has('load')
    const opened = await openRepositories(roots, context.options, platform)
    try {
      const result = await checkRepositories({
        stores: opened.stores,
        backends: context.backends,
        finder: context.finder,
        backendConfig: context.options.backendConfig,
        autoComplete: !context.options.disableAutoComplete,
        configName: context.options.modelConfigName,
        mayOpen: (backend) => load || (context.backends.has(backend) && !CODE.has(backend)),
      })
      const whole = load ? await alsoLoaded(result, context, opened.stores) : result
      return reportCheck(whole, flags, output)
    } finally {
      await opened.close()
    }
  })
}

/** With what goes wrong when a server loads it all. */
async function alsoLoaded(
  result: CheckResult,
  { options, backends, finder }: Context,
  stores: Parameters<typeof createServer>[0]['stores'],
): Promise<CheckResult> {
  const server = await createServer({
    platform: nodePlatform({ settings: QUIET }),
    stores,
    backends: [...backends.values()],
    finder,
    options: { ...options, modelControlMode: 'none', loadModels: [], loadOnDemand: undefined },
  })
  try {
    const known = new Set(
      result.findings.filter(({ severity }) => severity === 'error').map(({ model }) => model),
    )
    const found = server.startupReport().flatMap(({ name, version, status }): Finding[] =>
      status === 'READY' || known.has(name)
        ? []
        : [
            {
              severity: 'error',
              model: name,
              version: Number(version) || 0,
              file: '',
              line: 0,
              column: 0,
              message: `it does not load: ${status.replace(/^\w+: /, '')}`,
              hint: '',
            },
          ],
    )
    return { ...result, findings: [...result.findings, ...found] }
  } finally {
    await server.close()
  }
}

/** What is logged is among the findings. */
const QUIET = { log_info: false, log_warning: false, log_error: false }
