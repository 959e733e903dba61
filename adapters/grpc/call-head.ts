import type { ForwardHeaders } from '../../core/access/forward-headers.ts'
import type { Caller } from '../../core/access/types.ts'
import type { Parameters } from '../../core/infer.ts'
import { gateOf } from '../../core/overload/gate-of.ts'
import type { Gate, Gates } from '../../core/overload/types.ts'
import type { HeaderBlock, PeerInfo, RequestHead } from '../http2/types.ts'
import { DEADLINE_EXCEEDED, statusOf } from './call-status.ts'
import { type Coding, type CompressionLevel, codingForLevel, isCoding } from './compression.ts'
import { metadataText } from './metadata.ts'
import type { Responses } from './responses.ts'
import type { Route } from './routes.ts'
import { parseTimeout } from './timeout.ts'
import { type CallStatus, Status } from './types.ts'

/** What a request's header says, read once per header that a connection repeats. */
export interface CallHead {
  /** null = {@link refusal} is the whole answer. */
  readonly route: Route | null
  readonly refusal: HeaderBlock | null
  /** False = {@link refusal} is HTTP's own and has a body. */
  readonly isCall: boolean
  /** Of the client's messages. */
  readonly coding: Coding
  /** Of infer responses. */
  readonly replyCoding: Coding
  /** -1 = none. */
  readonly timeoutNs: number
  /** Metadata that becomes request parameters. */
  readonly forwarded: Parameters | null
  /** Metadata `triton_grpc_error: true`: the first error ends a stream. */
  readonly endsOnError: boolean
  readonly caller: Caller
  /** Where its messages come in; undefined = they are not counted. */
  readonly gate: Gate | undefined
}

export interface HeadOptions {
  readonly routes: ReadonlyMap<string, Route>
  readonly responses: Responses
  readonly compression: CompressionLevel
  readonly forward: ForwardHeaders | undefined
  readonly gates: Gates | undefined
}

export function readCallHead(head: RequestHead, peer: PeerInfo, options: HeadOptions): CallHead {
  const { routes, responses } = options
  const accepted = head.get('grpc-accept-encoding')
  const common = {
    isCall: true,
    coding: 'identity' as const,
    replyCoding: codingForLevel(options.compression, accepted),
    timeoutNs: -1,
    forwarded: null,
    endsOnError: head.get('triton_grpc_error') === 'true',
    caller: callerOf(head, peer),
    gate: undefined,
  }
  const refuse = (refusal: HeaderBlock): CallHead => ({ ...common, route: null, refusal })
  const refuseWith = (status: CallStatus): CallHead => refuse(responses.only(status))

  if (head.method !== 'POST') return { ...refuse(responses.methodNotAllowed), isCall: false }
  if (!isGrpc(head.get('content-type'))) {
    return { ...refuse(responses.unsupportedMediaType), isCall: false }
  }
  const route = routes.get(head.path)
  if (route === undefined) {
    return refuseWith({ code: Status.UNIMPLEMENTED, message: 'unknown method' })
  }
  const coding = head.get('grpc-encoding') ?? 'identity'
  if (!isCoding(coding)) {
    return refuseWith({ code: Status.UNIMPLEMENTED, message: 'unknown grpc-encoding' })
  }
  const timeout = head.get('grpc-timeout')
  const timeoutNs = timeout === undefined ? -1 : parseTimeout(timeout)
  if (timeoutNs === undefined) {
    return refuseWith({ code: Status.INTERNAL, message: 'malformed grpc-timeout' })
  }
  if (timeoutNs === 0) return refuseWith(DEADLINE_EXCEEDED)
  const infers = route.kind === 'infer' || route.kind === 'stream-infer'
  const gate = gateOfRoute(options.gates, route)
  if (!infers || options.forward === undefined) {
    return { ...common, route, refusal: null, coding, timeoutNs, gate }
  }
  try {
    const forwarded = options.forward(metadataOf(head))
    return { ...common, route, refusal: null, coding, timeoutNs, gate, forwarded }
  } catch (error) {
    return refuseWith(statusOf(error))
  }
}

function gateOfRoute(gates: Gates | undefined, route: Route): Gate | undefined {
  if (gates === undefined) return undefined
  return 'method' in route ? gateOf(gates, route.method.operation) : gates.inference
}

/** `application/grpc`, which means protobuf, or that it is said. */
function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  const end = contentType.indexOf(';')
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  return type === 'application/grpc' || type === 'application/grpc+proto'
}

function callerOf(head: RequestHead, peer: PeerInfo): Caller {
  return {
    door: 'grpc',
    header: (name) => {
      const value = head.get(name)
      return value === undefined ? undefined : metadataText(name, value)
    },
    address: peer.address,
    certificate: peer.certificate,
  }
}

const TRANSPORT_FIELDS = new Set(['content-type', 'content-length', 'te', 'host'])

/** The fields that are the application's, as text. */
function metadataOf(head: RequestHead): string[] {
  const { fields } = head
  const metadata: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string
    if (TRANSPORT_FIELDS.has(name) || name.startsWith('grpc-')) continue
    metadata.push(name, metadataText(name, fields[i + 1] as string))
  }
  return metadata
}
