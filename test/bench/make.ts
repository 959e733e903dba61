import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './processes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MAKE_MS = 600_000

/** Builds the server and, the first time, the models; returns the folder they lie in. */
export async function prepare(progress: (text: string) => void = () => undefined): Promise<string> {
  const cache = join(root, '.cache/bench')
  await run(
    [process.execPath, '--import', 'tsx', join(root, 'infra/build.ts'), 'server', '--quiet'],
    MAKE_MS,
  )
  if (existsSync(join(cache, 'repo_tiny/tiny_mlp/config.pbtxt'))) return cache
  progress('making the models')
  mkdirSync(cache, { recursive: true })
  const clients = join(root, '.cache/clients')
  await run([join(root, 'test/clients/setup.sh'), clients], MAKE_MS)
  const script = fileURLToPath(new URL('make_models.py', import.meta.url))
  await run([join(clients, 'venv/bin/python'), script, cache], MAKE_MS)
  return cache
}
