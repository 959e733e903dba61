import type { ResponseCache } from '../../../core/cache/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../../core/infer.ts'
import type { Log, ModelStore } from '../../../core/platform.ts'
import { fileMapStore } from '../../../core/repository/file-map.ts'
import { createServer, type Server } from '../../../core/server.ts'
import type { ServerOptions } from '../../../core/server-options.ts'
import { createFakeBackend, type FakeBackend } from '../../helpers/fake-backend.ts'
import { createFakeClock, type FakeClock } from '../../helpers/fake-clock.ts'

/** Timers move when told, turns are real: what waits for the end of a turn needs no help. */
export function createTurnClock(): FakeClock {
  const clock = createFakeClock()
  return new Proxy(clock, {
    get: (target, key) =>
      key === 'nextTurn'
        ? (run: () => void) => setImmediate(run)
        : Reflect.get(target, key, target),
  })
}

export interface MemoryLog extends Log {
  readonly lines: string[]
}

export function createMemoryLog(): MemoryLog {
  const lines: string[] = []
  return {
    lines,
    error: (message) => lines.push(`E ${message}`),
    warning: (message) => lines.push(`W ${message}`),
    info: (message) => lines.push(`I ${message}`),
    verbose: () => {},
  }
}

/** A config of an INT32 model of the fake backend; `extra` is appended. */
export function fakeConfig(extra = '', backend = 'fake'): string {
  return `backend: "${backend}" max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 2 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 2 ] } ]
${extra}`
}

/** Files of a model: `versions` get one file each, whose content is `mark`. */
export function modelFiles(
  name: string,
  options: {
    readonly versions?: readonly (number | string)[]
    readonly config?: string | null
    readonly mark?: string
  } = {},
): Record<string, string> {
  const files: Record<string, string> = {}
  const config = options.config === undefined ? fakeConfig() : options.config
  if (config !== null) files[`${name}/config.pbtxt`] = config
  for (const version of options.versions ?? [1]) {
    files[`${name}/${version}/model.bin`] = options.mark ?? 'model'
  }
  return files
}

/** A config whose policy serves every version. */
export const ALL_VERSIONS = fakeConfig('version_policy { all {} }')

/** Explicit control with everything loaded at start. */
export const EXPLICIT = { modelControlMode: 'explicit', loadModels: ['*'] } as const

/** A backend that refuses files whose content is `broken`. */
export function pickyBackend(
  options: { readonly onLoad?: (name: string) => void | Promise<void> } = {},
): FakeBackend {
  return createFakeBackend({
    async onLoad(source) {
      await options.onLoad?.(source.name)
      const content = await source.store.read(`${source.versionPath}/model.bin`)
      if (new TextDecoder().decode(content) === 'broken') throw new Error('file is broken')
    },
  })
}

export interface Repository {
  readonly files: Map<string, Uint8Array>
  put(files: Readonly<Record<string, string>>): void
  /** Removes everything at or below `path`. */
  remove(path: string): void
}

export function createRepository(files: Readonly<Record<string, string>> = {}): Repository {
  const held = new Map<string, Uint8Array>()
  const repository: Repository = {
    files: held,
    put(more) {
      for (const [path, text] of Object.entries(more))
        held.set(path, new TextEncoder().encode(text))
    },
    remove(path) {
      for (const file of [...held.keys()]) {
        if (file === path || file.startsWith(`${path}/`)) held.delete(file)
      }
    },
  }
  repository.put(files)
  return repository
}

export interface Harness {
  readonly server: Server
  readonly clock: FakeClock
  readonly log: MemoryLog
  readonly backend: FakeBackend
}

export async function startServer(setup: {
  readonly repositories: readonly Repository[]
  readonly options?: ServerOptions
  readonly backend?: FakeBackend
  /** In place of memory stores over `repositories`. */
  readonly stores?: readonly ModelStore[]
  readonly clock?: FakeClock
  readonly cache?: ResponseCache
}): Promise<Harness> {
  const clock = setup.clock ?? createTurnClock()
  const log = createMemoryLog()
  const backend = setup.backend ?? createFakeBackend()
  const server = await createServer({
    platform: { clock, log },
    stores:
      setup.stores ??
      setup.repositories.map(({ files }, i) => fileMapStore({ root: `root${i}`, files })),
    backends: [backend],
    cache: setup.cache,
    ...(setup.options === undefined ? {} : { options: setup.options }),
  })
  return { server, clock, log, backend }
}

/** One inference through the server as a front end does it; resolves to the values of OUTPUT0. */
export function infer(
  server: Server,
  name: string,
  values: readonly [number, number],
  version = '',
  more: Partial<InferRequestOptions> = {},
): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const request = new InferRequest(
      {
        inputs: [
          {
            name: 'INPUT0',
            datatype: 'INT32',
            shape: [1, 2],
            data: new Uint8Array(Int32Array.from(values).buffer),
          },
        ],
        ...more,
      },
      {
        answer(_request, answer: InferResponse | ServerError | null) {
          if (answer instanceof ServerError) reject(answer)
          else
            resolve([
              ...new Int32Array(answer?.outputs[0]?.data.slice().buffer ?? new ArrayBuffer(0)),
            ])
        },
      },
    )
    try {
      const model = server.model(name, version)
      model.check(request)
      model.submit(request)
    } catch (error) {
      reject(error)
    }
  })
}

/** Lets everything that can go on without a timer go on. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
