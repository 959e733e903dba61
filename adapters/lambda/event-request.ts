import { ServerError } from '../../core/errors.ts'
import type { ProtocolLimits } from '../../core/protocol/limits.ts'
import type { RestRequest } from '../../core/protocol/rest/types.ts'
import type { HttpEvent } from './types.ts'

export interface EventRequestOptions {
  readonly limits: ProtocolLimits
  /** What stands before `/v2` in paths, `/models` for one; '' = nothing. */
  readonly pathPrefix: string
  readonly signal: AbortSignal
}

/** The request that `event` stands for; undefined where it stands for none, as those of schedules and queues. */
export function eventRequest(
  event: HttpEvent,
  options: EventRequestOptions,
): RestRequest | undefined {
  const { http, identity, stage } = event.requestContext ?? {}
  const method = http?.method ?? event.httpMethod
  const path = event.rawPath ?? event.path
  if (typeof method !== 'string' || typeof path !== 'string') return undefined
  const fields = fieldsOf(event)
  const header = (name: string): string | undefined => fields.get(name)
  return {
    method,
    path: routed(path, event.rawPath === undefined ? undefined : stage, options.pathPrefix),
    header,
    body: async () => bodyOf(event, header, options.limits),
    signal: options.signal,
    address: http?.sourceIp ?? identity?.sourceIp ?? lastForwarded(header),
    fields: () => [...fields].flat(),
  }
}

/** By name in lower case; several values of a name as one list, which is what they mean. */
function fieldsOf({ headers, multiValueHeaders }: HttpEvent): Map<string, string> {
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (typeof value === 'string') fields.set(name.toLowerCase(), value)
  }
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) {
    if (Array.isArray(values)) fields.set(name.toLowerCase(), values.join(', '))
  }
  return fields
}

/** HTTP APIs have the name of their stage in front of the path, but for the one called `$default`. */
function routed(path: string, stage: string | undefined, prefix: string): string {
  const own = stage === undefined || stage === '$default' ? path : without(path, `/${stage}`)
  return without(own, prefix)
}

function without(path: string, prefix: string): string {
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path
}

/** The address that the load balancer saw itself stands last; those before it are what the client says. */
function lastForwarded(header: (name: string) => string | undefined): string {
  return header('x-forwarded-for')?.split(',').at(-1)?.trim() ?? ''
}

const EMPTY = new Uint8Array(0)
const SHOWN_CHARS = 40
/** Binary tensors start at a multiple of this, so that runtimes can read them in place. */
const TENSOR_ALIGNMENT = 8

function bodyOf(
  { body, isBase64Encoded }: HttpEvent,
  header: (name: string) => string | undefined,
  { bodyBytes }: ProtocolLimits,
): Uint8Array {
  if (typeof body !== 'string' || body === '') return EMPTY
  const encoding = isBase64Encoded === true ? 'base64' : 'utf8'
  if (encoding === 'utf8') checkPlain(header('content-encoding'))
  const most = Buffer.byteLength(body, encoding)
  if (most > bodyBytes) {
    throw new ServerError(
      'INVALID_ARG',
      `request body size exceeds the maximum allowed value of ${bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
    )
  }
  const headerLength = Number(header('inference-header-content-length') ?? 0)
  const before = headerLength % 1 === 0 ? TENSOR_ALIGNMENT - (headerLength % TENSOR_ALIGNMENT) : 0
  const room = Buffer.allocUnsafeSlow(before + most)
  const size = room.write(body, before, encoding)
  if (headerLength > 0 && encoding === 'utf8') checkWhole(size, header('content-length'))
  return new Uint8Array(room.buffer, before, size)
}

/** A packed body that was read as text is broken, and its unpacking would say nothing that helps anybody. */
function checkPlain(coding = ''): void {
  const name = coding.trim().toLowerCase()
  if (name === '' || name === 'identity') return
  throw new ServerError(
    'INVALID_ARG',
    `a body with 'Content-Encoding: ${name.slice(0, SHOWN_CHARS)}' came as text, which breaks its bytes; send it without Content-Encoding or with 'Content-Type: application/octet-stream', or give a REST API the binary media type '*/*'`,
  )
}

/** A gateway that takes binary tensors for text has replaced bytes of them before anybody here could see them. */
function checkWhole(bytes: number, declared: string | undefined): void {
  if (declared === undefined || Number(declared) === bytes) return
  throw new ServerError(
    'INVALID_ARG',
    `binary tensors came as text: of ${declared} bytes ${bytes} came; send them with 'Content-Type: application/octet-stream'`,
  )
}
