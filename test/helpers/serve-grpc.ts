import { controlMethods } from '../../adapters/grpc/control/control-methods.ts'
import { reflectionMethods } from '../../adapters/grpc/reflection/reflection-methods.ts'
import { type GrpcOptions, type GrpcServer, startGrpc } from '../../adapters/grpc/server.ts'
import { startReferenceHttp2 } from '../../adapters/http2/reference.ts'
import { startHttp2 } from '../../adapters/http2/server.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import type { Backend } from '../../core/backend/types.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS, type ProtocolLimits } from '../../core/protocol/limits.ts'
import { createServer, type Server } from '../../core/server.ts'
import { createFakeBackend, type FakeBackend, type FakeBackendOptions } from './fake-backend.ts'
import { ECHO_CONFIG } from './serve.ts'

export const TRANSPORTS = { native: startHttp2, node: startReferenceHttp2 } as const

export interface ServeGrpcOptions {
  /** config.pbtxt by model name. Default: one FP32 identity model `echo`. */
  readonly models?: Readonly<Record<string, string>>
  readonly backend?: FakeBackendOptions
  readonly backends?: readonly Backend[]
  readonly limits?: Partial<ProtocolLimits>
  /** Default the native one. */
  readonly transport?: keyof typeof TRANSPORTS
  readonly grpc?: Partial<GrpcOptions>
}

export interface ServingGrpc {
  readonly target: string
  readonly port: number
  readonly server: Server
  readonly backend: FakeBackend
  readonly grpc: GrpcServer
  readonly logged: readonly string[]
  close(): Promise<void>
}

/** The gRPC service on a free port of 127.0.0.1, over the fake backend and models in memory. */
export async function serveGrpc(options: ServeGrpcOptions = {}): Promise<ServingGrpc> {
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
    backends: [backend, ...(options.backends ?? [])],
  })
  const sharedMemory = options.grpc?.sharedMemory ?? null
  const tracer = options.grpc?.tracer
  const grpc = await startGrpc({
    transport: TRANSPORTS[options.transport ?? 'native'],
    server,
    clock,
    log,
    limits: { ...DEFAULT_PROTOCOL_LIMITS, ...options.limits },
    address: '127.0.0.1',
    port: 0,
    methods: controlMethods({ server, logControl: log, sharedMemory, log, tracer }),
    streamMethods: reflectionMethods(),
    ...options.grpc,
  })
  return {
    target: `127.0.0.1:${grpc.port}`,
    port: grpc.port,
    server,
    backend,
    grpc,
    logged,
    async close() {
      await grpc.close(0)
      await server.close(0)
    },
  }
}
