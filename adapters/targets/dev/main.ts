import { realpathSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { findPackage } from '../../cli/package-root.ts'
import { parseArguments } from '../../cli/parse.ts'
import { chooseRepositories } from '../../cli/repositories.ts'
import { runServer, StartError } from '../../cli/run.ts'
import { exitOnSignals } from '../../cli/signals.ts'
import { nodePlatform } from '../../platform/node.ts'
import { composeDev, type DevServer } from './compose.ts'

/** Models are looked at this often: a change is served before the next try by hand. */
const DEV_FLAGS = ['--model-control-mode=poll', '--repository-poll-secs=1', '--exit-on-error=false']

// The official builds of ONNX Runtime report sessions and model names to their maker unless this is set before they start.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

const started = process.argv[1]
const isMain = started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)
const argv = [...DEV_FLAGS, ...(isMain ? process.argv.slice(2) : [])]
const parsed = parseArguments({ argv, env: process.env, program: 'npm run dev --' })
if (parsed.kind !== 'serve') {
  const text = parsed.kind === 'error' ? parsed.message : parsed.kind === 'help' ? parsed.text : ''
  process.stderr.write(`${text}\n`)
  process.exit(parsed.kind === 'error' ? 1 : 0)
}
const { options, warnings } = parsed
const platform = nodePlatform({ settings: options.log })
const packageRoot = findPackage(import.meta.url).root
const repositories = chooseRepositories(options.modelRepositories, packageRoot)
if (repositories.problem !== '') {
  platform.log.error(repositories.problem)
  process.exit(1)
}

const dev = await composeDev({ options, platform, repositories: repositories.paths })

if (isMain) {
  const terminal = process.stderr.isTTY === true
  const now = (): number => performance.now()
  await runServer({
    options,
    parts: dev.parts,
    warnings,
    nodeVersion: process.version,
    terminal,
    now,
    opening: ({ stop }) => exitOnSignals(platform.log, stop),
  }).catch((error: unknown) => {
    if (!(error instanceof StartError)) throw error
    process.exit(1)
  })
}

/** The server's own app, for tools that bring their own listener: `hono serve adapters/targets/dev/main.ts`. */
const app: DevServer['app'] = dev.app
export default app
