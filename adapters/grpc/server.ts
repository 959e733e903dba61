import type { ForwardHeaders } from '../../core/access/forward-headers.ts'
import type { Access } from '../../core/access/types.ts'
import type { Gates } from '../../core/overload/types.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { InferMemo } from '../../core/protocol/grpc/infer-memo.ts'
import type { ProtocolLimits } from '../../core/protocol/limits.ts'
import type { InferenceServer } from '../../core/server-types.ts'
import type { SharedMemory } from '../../core/shared-memory/types.ts'
import type { Tracer } from '../../core/trace/types.ts'
import type {
  Http2Limits,
  KeepaliveOptions,
  ServerStream,
  StartHttp2,
  StreamHandler,
  TlsMaterial,
} from '../http2/types.ts'
import { type CallHead, type HeadOptions, readCallHead } from './call-head.ts'
import type { CompressionLevel } from './compression.ts'
import { ControlCall } from './control-call.ts'
import { Deadlines } from './deadlines.ts'
import { InferCall } from './infer-call.ts'
import { MethodStream } from './method-stream.ts'
import { RefusedRequest } from './refused-request.ts'
import { Responses } from './responses.ts'
import { routeTable } from './routes.ts'
import type { Service } from './service.ts'
import { StreamInfer } from './stream-infer.ts'
import type { StreamMethod, UnaryMethod } from './types.ts'

/** Default of `--grpc-max-message-size`: what gRPC can say of a message at all. */
export const DEFAULT_MAX_MESSAGE_BYTES = 0x7fff_ffff

export interface GrpcOptions {
  readonly transport: StartHttp2
  readonly server: InferenceServer
  readonly clock: Clock
  readonly log: Log
  readonly limits: ProtocolLimits
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly reusePort?: boolean
  /** Everything but inference. */
  readonly methods?: readonly UnaryMethod[]
  readonly streamMethods?: readonly StreamMethod[]
  /** Absent = everybody may do everything. */
  readonly access?: Access | undefined
  /** Absent = nothing is counted and nothing shed. */
  readonly gates?: Gates | undefined
  /** Absent = nothing is traced. */
  readonly tracer?: Tracer | undefined
  /** null = clients cannot register regions. */
  readonly sharedMemory?: SharedMemory | null
  /** Metadata that become request parameters; absent = none. */
  readonly forward?: ForwardHeaders | undefined
  /** Bytes of a message, also after decompression. Default {@link DEFAULT_MAX_MESSAGE_BYTES}. */
  readonly maxMessageBytes?: number
  /** Of infer responses. Default `none`. */
  /** Whether each call gets a line in the log now (`--log-verbose`). Default: none does. */
  readonly verbose?: () => boolean
  readonly compression?: CompressionLevel
  readonly http2?: Partial<Http2Limits>
  readonly keepalive?: Partial<KeepaliveOptions>
  readonly tls?: TlsMaterial | undefined
}

export interface GrpcServer {
  readonly port: number
  readonly connections: number
  /** Calls that are open now. */
  readonly calls: number
  /** New certificate for new connections; throws when the pair is not usable. */
  setTls(tls: TlsMaterial): void
  /**
   * Refuses inference from now on, answers what was taken, ends streams when they are idle; what is left after `timeoutMs`
   * is cut. Idempotent.
   */
  close(timeoutMs: number): Promise<void>
}

/** Serves gRPC on one port. Rejects with the socket's error (EADDRINUSE, …). */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const { server, limits, log, clock } = options
  const responses = new Responses()
  const deadlines = new Deadlines(clock, (error) =>
    log.error(`grpc: ${error instanceof Error ? error.stack : String(error)}`),
  )
  const service: Service = {
    access: options.access,
    log,
    verbose: options.verbose,
    opened: 0,
    deadlines,
    onDemand: options.server.onDemand,
    tracer: options.tracer,
    memo: new InferMemo({ server, limits, sharedMemory: options.sharedMemory ?? null }),
    reader: {
      maxBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      inflateRatio: limits.inflateRatio,
      inflateFreeBytes: limits.inflateFreeBytes,
    },
    responses,
    streams: new Set(),
    closing: false,
  }
  const heads: HeadOptions = {
    routes: routeTable(options.methods ?? [], options.streamMethods ?? []),
    responses,
    compression: options.compression ?? 'none',
    forward: options.forward,
    gates: options.gates,
  }
  const { address, port, reusePort, http2, keepalive, tls } = options
  const transport = await options.transport({
    address,
    port,
    log,
    onStream: (stream, hasBody) => openCall(service, heads, stream, hasBody),
    ...(reusePort === undefined ? {} : { reusePort }),
    ...(http2 === undefined ? {} : { limits: http2 }),
    ...(keepalive === undefined ? {} : { keepalive }),
    ...(tls === undefined ? {} : { tls }),
  })

  let closing: Promise<void> | undefined
  return {
    port: transport.port,
    get connections() {
      return transport.connections
    },
    get calls() {
      return transport.streams
    },
    setTls: (material) => transport.setTls(material),
    close(timeoutMs) {
      closing ??= closeAll()
      return closing

      async function closeAll(): Promise<void> {
        service.closing = true
        const closed = transport.close(timeoutMs)
        for (const stream of [...service.streams]) stream.drain()
        await closed
        deadlines.close()
      }
    },
  }
}

const NOTHING = new Uint8Array(0)
const IGNORED: StreamHandler = { data: () => undefined, aborted: () => undefined }

function openCall(
  service: Service,
  heads: HeadOptions,
  stream: ServerStream,
  hasBody: boolean,
): StreamHandler {
  const { head } = stream
  // A connection repeats its headers, and then what was made of them.
  const known = head.memo as CallHead | null | undefined
  const callHead = known ?? readCallHead(head, stream.peer, heads)
  head.memo = callHead
  if (service.verbose?.() === true) tellCall(service, callHead)
  const call = makeCall(service, stream, callHead)
  if (!hasBody) call.data(NOTHING, true)
  return call
}

/** As Triton does of the first step of a call. */
function tellCall(service: Service, { route }: CallHead): void {
  if (route === null) return
  const name =
    route.kind === 'infer'
      ? 'ModelInferHandler'
      : route.kind === 'stream-infer'
        ? 'ModelStreamInferHandler'
        : route.method.path.slice(route.method.path.lastIndexOf('/') + 1)
  service.log.verbose(1, `Process for ${name}, rpc_ok=1, ${service.opened++} step START`)
}

function newInferCall(service: Service, stream: ServerStream, head: CallHead): InferCall {
  const call = new InferCall(service, stream, head)
  const { tracer } = service
  if (tracer?.active === true) call.headNs = tracer.now()
  return call
}

function makeCall(service: Service, stream: ServerStream, head: CallHead): StreamHandler {
  const { route } = head
  if (route === null) {
    const { refusal } = head
    if (refusal === null) return IGNORED
    if (!head.isCall) return new RefusedRequest(stream, service.responses, refusal)
    stream.headers(refusal, true)
    return IGNORED
  }
  switch (route.kind) {
    case 'infer':
      return newInferCall(service, stream, head)
    case 'stream-infer':
      return new StreamInfer(service, stream, head)
    case 'unary':
      return new ControlCall(service, stream, head, route.method)
    case 'stream':
      return new MethodStream(service, stream, head, route.method)
  }
}
