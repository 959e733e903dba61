import { performance } from 'node:perf_hooks'
import { TRITON_VERSION } from '../../../core/server.ts'
import { isCommand } from '../../cli/commands/names.ts'
import { findPackage } from '../../cli/package-root.ts'
import { parseArguments } from '../../cli/parse.ts'
import { chooseRepositories } from '../../cli/repositories.ts'
import { runServer, StartError } from '../../cli/run.ts'
import { exitOnSignals } from '../../cli/signals.ts'
import { nodePlatform } from '../../platform/node.ts'
import { serverParts } from './parts.ts'

const facts = findPackage(import.meta.url)
const [word, ...rest] = process.argv.slice(2)
const parsed = isCommand(word)
  ? ({ kind: 'command', name: word } as const)
  : parseArguments({ argv: process.argv.slice(2), env: process.env, program: 'nereid' })

if (parsed.kind === 'command') {
  const { runCommand } = await import('./commands.ts')
  process.exitCode = await runCommand(parsed.name, rest, {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal: process.stdout.isTTY === true,
  })
} else if (parsed.kind === 'help') {
  process.stdout.write(parsed.text)
} else if (parsed.kind === 'version') {
  process.stdout.write(
    `nereid ${facts.version} (Triton ${TRITON_VERSION}, Node ${process.version})\n`,
  )
} else if (parsed.kind === 'error') {
  process.stderr.write(`${parsed.usage}\n${parsed.message}\n`)
  process.exitCode = 1
} else {
  const { options } = parsed
  const platform = nodePlatform({ settings: options.log })
  const { log } = platform
  const repositories = chooseRepositories(options.modelRepositories, facts.root)
  if (repositories.sample) {
    log.info(`no --model-repository: serving the sample models in ${repositories.paths[0]}`)
  }
  if (repositories.problem !== '') {
    log.error(repositories.problem)
    process.exit(1)
  }
  try {
    await runServer({
      options,
      parts: serverParts({ options, platform, repositories: repositories.paths }),
      warnings: parsed.warnings,
      nodeVersion: process.version,
      terminal: process.stderr.isTTY === true,
      now: () => performance.now(),
      opening: ({ stop }) => exitOnSignals(log, stop),
    })
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    process.exit(1)
  }
}
