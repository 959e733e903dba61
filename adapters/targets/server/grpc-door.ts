import type { Gates } from '../../../core/overload/types.ts'
import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import type { Server } from '../../../core/server.ts'
import type { SharedMemory } from '../../../core/shared-memory/types.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import type { GrpcFlags } from '../../cli/options.ts'
import { controlMethods, loadControlMethods } from '../../grpc/control/control-methods.ts'
import { reflectionMethods } from '../../grpc/reflection/reflection-methods.ts'
import { type GrpcServer, startGrpc } from '../../grpc/server.ts'
import type { StartHttp2 } from '../../http2/types.ts'
import type { NodePlatform } from '../../platform/node.ts'
import type { Doors } from './doors.ts'

/** When the start is over and first probes were answered. */
const LOAD_CONTROL_MS = 1_000

/** Opens the gRPC port as its flags say. */
export async function startGrpcDoor(setup: {
  readonly options: GrpcFlags
  readonly doors: Doors
  readonly platform: NodePlatform
  readonly server: Server
  readonly limits: ProtocolLimits
  readonly sharedMemory: SharedMemory
  readonly gates: Gates
  readonly tracer: Tracer | undefined
}): Promise<GrpcServer> {
  const { options, doors, platform, server, limits, sharedMemory, gates, tracer } = setup
  const { clock, log } = platform
  const { address, port, reusePort, compression, maxMessageBytes, keepalive } = options
  const { maxConcurrentStreams, maxConnections } = options
  const grpc = await startGrpc({
    transport: await transportOf(options.transport),
    server,
    clock,
    log,
    verbose: () => log.enabled('verbose'),
    limits,
    address,
    port,
    reusePort,
    compression,
    maxMessageBytes,
    keepalive,
    http2: { maxConcurrentStreams, maxConnections },
    methods: controlMethods({ server, logControl: log, sharedMemory, log, tracer }),
    streamMethods: reflectionMethods(),
    access: doors.access,
    gates,
    tracer,
    forward: doors.grpcForward,
    sharedMemory,
    tls: doors.grpcTls?.material,
  })
  // Should it fail, the first call says so.
  setTimeout(() => void loadControlMethods().catch(() => undefined), LOAD_CONTROL_MS).unref()
  doors.grpcTls?.onChange((material) => grpc.setTls(material))
  return grpc
}

async function transportOf(name: GrpcFlags['transport']): Promise<StartHttp2> {
  if (name === 'node') return (await import('../../http2/reference.ts')).startReferenceHttp2
  return (await import('../../http2/server.ts')).startHttp2
}
