import type { ProtocolLimits } from '../../../core/protocol/limits.ts'
import type { Server } from '../../../core/server.ts'
import type { SharedMemory } from '../../../core/shared-memory/types.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import type { ServeOptions } from '../../cli/options.ts'
import { type AppOptions, createApp } from '../../http/app.ts'
import type { InferDialect } from '../../http/node/infer-dialect.ts'
import { type HttpListener, startHttp } from '../../http/node/listener.ts'
import type { NodePlatform } from '../../platform/node.ts'
import type { Doors } from './doors.ts'
import type { Overload } from './overload.ts'

export interface HttpDoorOptions {
  readonly options: Pick<ServeOptions, 'http' | 'access'>
  readonly doors: Doors
  readonly platform: NodePlatform
  readonly server: Server
  readonly limits: ProtocolLimits
  readonly sharedMemory: SharedMemory
  readonly overload: Overload
  readonly tracer: Tracer | undefined
  /** Absent = the REST routes, where the HTTP flags say. */
  readonly host?: HostDoor
}

/** A port on which the host of this server asks in its own way, under the limits and restrictions of HTTP. */
export interface HostDoor {
  readonly address: string
  readonly port: number
  readonly front: NonNullable<AppOptions['front']>
  /** Absent = the app answers every inference. */
  readonly dialect?: InferDialect
}

/** Opens a port for HTTP. */
export async function startHttpDoor(setup: HttpDoorOptions): Promise<HttpListener> {
  const { options, doors, platform, server, limits, sharedMemory, overload, tracer, host } = setup
  const { http } = options
  const { access, httpForward: forward } = doors
  const { allowedHosts, corsOrigins } = options.access
  const { gate: gates, watch } = overload
  const { log } = platform
  // Hosts name this server as they like, ask for no web page, and end TLS themselves.
  const rest =
    host === undefined
      ? { allowedHosts, tls: doors.httpTls?.material, inferStream: http.inferStream, corsOrigins }
      : { inferRoute: host.dialect !== undefined, dialect: host.dialect, corsOrigins: [] }
  const shared = { server, log, limits, access, gates, tracer, forward, sharedMemory }
  const listener = await startHttp({
    ...shared,
    ...rest,
    app: createApp({ ...shared, ...rest, front: host?.front }),
    cors: rest.corsOrigins.length > 0,
    verbose: () => log.enabled('verbose'),
    address: host?.address ?? http.address,
    port: host?.port ?? http.port,
    reusePort: host === undefined && http.reusePort,
    maxHeaderBytes: http.maxHeaderBytes,
    maxConnections: http.maxConnections,
    timeouts: {
      headerMs: http.headerTimeoutMs,
      bodyStallMs: http.bodyTimeoutMs,
      keepAliveMs: http.keepAliveMs,
    },
  })
  if (host === undefined) doors.httpTls?.onChange((material) => listener.setTls(material))
  watch(listener)
  return listener
}
