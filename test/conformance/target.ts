import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { createApp } from '../../adapters/http/app.ts'
import { startHttp } from '../../adapters/http/node/listener.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import { openTrace, type TraceOptions } from '../../adapters/trace/open.ts'
import { identityBackend } from '../../core/backend/identity.ts'
import { repeatBackend } from '../../core/backend/repeat.ts'
import { localCache } from '../../core/cache/local-cache.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../core/protocol/limits.ts'
import { createServer } from '../../core/server.ts'
import type { ServerOptions } from '../../core/server-options.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'

/** A running server. */
export interface Target {
  readonly url: string
  /** What it logged. */
  readonly log: readonly string[]
  close(): Promise<void>
}

const CLOSE_MS = 10_000
/** As `triton/start.sh` says it. */
const CACHE_BYTES = 1_048_576
/** What a server is started with that was told nothing of it. */
const NO_TRACING: TraceOptions = {
  level: 0,
  rate: 1000,
  count: -1,
  logFrequency: 0,
  mode: 'triton',
  file: '',
  options: [],
  export: { url: '', resource: {}, maxQueueSize: 1, scheduleDelayMs: 1, maxBatchSize: 1 },
}
const RECORDED = fileURLToPath(new URL('../fixtures/recorded/repository', import.meta.url))

/** This project's server, whole and in this process: disk store, ONNX backend, HTTP listener on a free port. */
export async function startServer(root: string, options: ServerOptions): Promise<Target> {
  const clock = nodeClock()
  const lines: string[] = []
  const log = createLog({ write: (text) => lines.push(text), epochUs: () => 0, pid: process.pid })
  const server = await createServer({
    platform: { clock, log },
    stores: [diskStore({ root })],
    backends: [onnxBackend({ clock }), identityBackend({ clock }), repeatBackend({ clock })],
    cache: localCache({ size: CACHE_BYTES }),
    options,
  })
  const limits = DEFAULT_PROTOCOL_LIMITS
  // The recorded release lets every client register.
  const host = await posixSharedMemory()
  const sharedMemory = createSharedMemory({ host, enabled: true })
  const { tracer } = await openTrace(NO_TRACING, { clock, log })
  const app = createApp({ server, log, limits, sharedMemory, tracer })
  const address = '127.0.0.1'
  const listener = await startHttp({ server, app, log, limits, sharedMemory, address, port: 0 })
  return {
    url: `http://${address}:${listener.port}`,
    log: lines,
    close: async () => {
      await listener.close(CLOSE_MS)
      await server.close(CLOSE_MS)
    },
  }
}

/**
 * The server of `NEREID_TARGET_URL` (the real Triton, see `triton/start.sh`), or this project's own with the recorded
 * flags on a copy of the recorded repository.
 */
export async function startTarget(): Promise<Target> {
  const url = process.env['NEREID_TARGET_URL']
  if (url !== undefined) return { url, log: [], close: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'nereid-conformance-'))
  const root = join(folder, 'repository')
  await cp(RECORDED, root, { recursive: true })
  const target = await startServer(root, { modelControlMode: 'explicit', loadModels: ['*'] })
  return {
    ...target,
    close: async () => {
      await target.close()
      await rm(folder, { recursive: true })
    },
  }
}
