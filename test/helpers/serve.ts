import { type AppOptions, createApp } from '../../adapters/http/app.ts'
import {
  type HttpListener,
  type HttpOptions,
  startHttp,
} from '../../adapters/http/node/listener.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import { repeatBackend } from '../../core/backend/repeat.ts'
import { createLog, type ServerLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS, type ProtocolLimits } from '../../core/protocol/limits.ts'
import { createServer, type Server } from '../../core/server.ts'
import type { ServerOptions } from '../../core/server-options.ts'
import { createFakeBackend, type FakeBackend, type FakeBackendOptions } from './fake-backend.ts'

export interface ServeOptions {
  /** config.pbtxt by model name; each gets one version `1`. Default: one FP32 identity model `echo`. */
  readonly models?: Readonly<Record<string, string>>
  readonly backend?: FakeBackendOptions
  readonly server?: ServerOptions
  readonly limits?: Partial<ProtocolLimits>
  /** `--http-infer-stream`. */
  readonly inferStream?: boolean
  readonly http?: Partial<HttpOptions>
  /** Of the app and, where the listener has them as well, of the listener. */
  readonly doors?: Pick<AppOptions, 'access' | 'gates' | 'forward' | 'corsOrigins' | 'tracer'>
}

export interface Serving {
  readonly port: number
  readonly url: string
  readonly server: Server
  readonly backend: FakeBackend
  readonly listener: HttpListener
  /** Lines of the log so far. */
  readonly logged: readonly string[]
  readonly log: ServerLog
  close(): Promise<void>
}

export const ECHO_CONFIG = `
backend: "fake"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
`

/** The whole server on a free port of 127.0.0.1, over the fake backend and models in memory. */
export async function serve(options: ServeOptions = {}): Promise<Serving> {
  const logged: string[] = []
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  const clock = nodeClock()
  const backend = createFakeBackend(options.backend)
  const files = new Map<string, Uint8Array>()
  for (const [name, config] of Object.entries(options.models ?? { echo: ECHO_CONFIG })) {
    files.set(`${name}/config.pbtxt`, new TextEncoder().encode(config))
    files.set(`${name}/1/model.fake`, new Uint8Array(1))
  }
  const server = await createServer({
    platform: { clock, log },
    stores: [memoryStore({ files })],
    backends: [backend, repeatBackend({ clock })],
    ...(options.server === undefined ? {} : { options: options.server }),
  })
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, ...options.limits }
  const listener = await startHttp({
    server,
    app: createApp({
      server,
      log,
      limits,
      inferStream: options.inferStream,
      sharedMemory: options.http?.sharedMemory,
      ...options.doors,
    }),
    log,
    limits,
    address: '127.0.0.1',
    port: 0,
    inferStream: options.inferStream,
    access: options.doors?.access,
    gates: options.doors?.gates,
    tracer: options.doors?.tracer,
    forward: options.doors?.forward,
    cors: options.doors?.corsOrigins !== undefined,
    ...options.http,
  })
  return {
    port: listener.port,
    url: `http://127.0.0.1:${listener.port}`,
    server,
    backend,
    listener,
    logged,
    log,
    async close() {
      await listener.close(1000)
      await server.close(1000)
    },
  }
}
