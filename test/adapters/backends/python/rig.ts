import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import {
  type PythonBackendOptions,
  pythonBackend,
} from '../../../../adapters/backends/python/python-backend.ts'
import { diskStore } from '../../../../adapters/stores/disk.ts'
import type { Backend, ModelSource } from '../../../../core/backend/types.ts'
import type { ModelConfig } from '../../../../core/config/types.ts'
import { createLog } from '../../../../core/log.ts'
import type { Log } from '../../../../core/platform.ts'
import { createServer, type Server } from '../../../../core/server.ts'
import type { ServerOptions } from '../../../../core/server-options.ts'
import { createFakeBackend } from '../../../helpers/fake-backend.ts'
import { realClock, silentLog } from '../onnx-fixtures.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
/** `test/python/setup.sh core` makes it. */
export const PYTHON: string = join(root, '.cache/python/core/bin/python')
export const WORKER: string = join(root, 'native/python/worker/main.py')
export const MISSING: string | undefined = existsSync(PYTHON)
  ? undefined
  : 'no Python with numpy: run test/python/setup.sh core'

/** A folder that is gone with the test, or with the process where there is no test. */
export function folder(ended: (run: () => void) => void = onTestFinished): string {
  const path = mkdtempSync(join(tmpdir(), 'nereid-python-'))
  ended(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

export const SETTINGS: ReadonlyMap<string, string> = new Map([['python-runtime', PYTHON]])

export function backend(options: Partial<PythonBackendOptions> = {}): Backend {
  return pythonBackend({
    clock: realClock,
    worker: WORKER,
    environment: process.env,
    settings: SETTINGS,
    ...options,
  })
}

/** Version 1 of a model in `repository`, whose code is `code`. */
export function modelOf(
  repository: string,
  name: string,
  code: string | undefined,
  more: {
    readonly config?: ModelConfig
    readonly log?: Log
    readonly settings?: ReadonlyMap<string, string>
  } = {},
): ModelSource {
  mkdirSync(join(repository, name, '1'), { recursive: true })
  if (code !== undefined) write(join(repository, name, '1', 'model.py'), code)
  return {
    name,
    version: 1,
    config: { name, backend: 'python', ...more.config },
    settings: more.settings ?? new Map(),
    store: diskStore({ root: repository }),
    modelPath: name,
    versionPath: `${name}/1`,
    log: more.log ?? silentLog,
  }
}

export interface Serving {
  readonly server: Server
  readonly logged: readonly string[]
  readonly repository: string
}

/** A server with models in Python: `config` (pbtxt) and `code` by name. */
export async function serveModels(
  models: Readonly<Record<string, { readonly config: string; readonly code: string }>>,
  options: ServerOptions = {},
): Promise<Serving> {
  const repository = folder()
  const logged: string[] = []
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  for (const [name, { config, code }] of Object.entries(models)) {
    write(join(repository, name, 'config.pbtxt'), `backend: "python"\n${config}`)
    write(join(repository, name, '1', 'model.py'), code)
  }
  const server = await createServer({
    platform: { clock: realClock, log },
    stores: [diskStore({ root: repository })],
    backends: [createFakeBackend(), backend()],
    options,
  })
  onTestFinished(() => server.close(5000))
  return { server, logged, repository }
}

/** Until `condition` holds; the test's own limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
