import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { RequestFacts } from '../app.ts'
import { createHostCheck } from './allowed-hosts.ts'
import { createHttpServer, type HttpTls } from './http-server.ts'
import { type InferRouteOptions, inferRoute, refusalOf } from './infer-route.ts'
import { lazyListener } from './lazy-listener.ts'
import { listenOptions } from './listen.ts'
import { requestLine } from './request-line.ts'
import { Sockets } from './sockets.ts'

/** Limits and waits of the HTTP listener, milliseconds; every one has a flag. */
export interface HttpTimeouts {
  /** Time for a whole request head (`--http-header-timeout`). Default 10 s. */
  readonly headerMs: number
  /** A body in transfer that makes no progress for this long is cut (`--http-body-timeout`). Default 60 s. */
  readonly bodyStallMs: number
  /** Idle connections are closed after this; above a load balancer's usual 60 s (`--http-keepalive-timeout`). Default 75 s. */
  readonly keepAliveMs: number
}

export const DEFAULT_HTTP_TIMEOUTS: HttpTimeouts = {
  headerMs: 10_000,
  bodyStallMs: 60_000,
  keepAliveMs: 75_000,
}
/** `--http-max-header-size`. */
export const DEFAULT_MAX_HEADER_BYTES: number = 16 * 1024
/** How often Node looks for heads that take too long. */
const CHECK_MS = 2_000
export const MAX_HEADER_FIELDS = 100
/** `--max-connections`. */
export const DEFAULT_MAX_CONNECTIONS = 10_000

export interface HttpOptions extends InferRouteOptions {
  /** Answers everything but plain infer requests of the REST routes. */
  readonly app: { fetch(request: Request, facts: RequestFacts): Response | Promise<Response> }
  /** Default true. False: the app answers infer requests, too, because other URLs mean them here. */
  readonly inferRoute?: boolean
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  /** SO_REUSEPORT (`--reuse-http-port`). Default false. */
  readonly reusePort?: boolean
  readonly timeouts?: Partial<HttpTimeouts>
  readonly maxHeaderBytes?: number
  readonly maxConnections?: number
  /** Set: HTTPS instead of HTTP. */
  readonly tls?: HttpTls | undefined
  /** Names that `Host` may have (`--allowed-hosts`); empty = any. */
  readonly allowedHosts?: readonly string[]
  /** Whether each request gets a line in the log now (`--log-verbose`), as Triton's. Default: none does. */
  readonly verbose?: () => boolean
}

export interface HttpListener {
  readonly port: number
  /** New certificate for new connections; throws when the pair is not usable, and then changes nothing. */
  setTls(tls: HttpTls): void
  /** Whether connections are closed after their answers, for the memory they take. */
  closeConnections(close: boolean): void
  /**
   * Stops accepting, lets requests in flight finish and closes each connection after its answer; what is left after
   * `timeoutMs` is cut. Idempotent.
   */
  close(timeoutMs?: number): Promise<void>
}

/** Serves `options.app` and the infer fast path on one port. Rejects with the socket's error (EADDRINUSE, …). */
export async function startHttp(options: HttpOptions): Promise<HttpListener> {
  const timeouts = { ...DEFAULT_HTTP_TIMEOUTS, ...options.timeouts }
  const sockets = new Sockets(timeouts.bodyStallMs)
  const infer = inferRoute(options, sockets)
  const slow = lazyListener((request, incoming) => options.app.fetch(request, factsOf(incoming)))
  const factsOf = (incoming: IncomingMessage): RequestFacts => ({
    address: incoming.socket.remoteAddress ?? '',
    certificate: sockets.of(incoming.socket).certificate,
    fields: incoming.rawHeaders,
    refusal: refusalOf(incoming),
  })
  const isAllowedHost = createHostCheck(options.allowedHosts ?? [])
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (sockets.draining || sockets.sparing) response.shouldKeepAlive = false
    sockets.of(request.socket).message = request
    if (options.verbose?.() === true) options.log.verbose(1, requestLine(request))
    if (isAllowedHost !== undefined && !isAllowedHost(request.headers.host)) {
      refuseHost(response)
      return
    }
    if (options.inferRoute === false || !infer(request, response)) slow(request, response)
  }

  const { server, setTls } = createHttpServer({
    settings: {
      noDelay: true,
      keepAliveTimeout: timeouts.keepAliveMs,
      headersTimeout: timeouts.headerMs,
      connectionsCheckingInterval: CHECK_MS,
      // Bodies are watched for progress instead of being given a total time.
      requestTimeout: 0,
      maxHeaderSize: options.maxHeaderBytes ?? DEFAULT_MAX_HEADER_BYTES,
    },
    tls: options.tls,
    sockets,
    log: options.log,
    onRequest,
  })
  server.maxHeadersCount = MAX_HEADER_FIELDS
  server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket))

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listenOptions(options), () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => options.log.error(`http listener: ${error.message}`))

  let closing: Promise<void> | undefined
  return {
    port: (server.address() as AddressInfo).port,
    setTls,
    closeConnections: (close) => {
      sockets.sparing = close
    },
    close: (timeoutMs = 30_000) => {
      closing ??= sockets.drain(server, timeoutMs)
      return closing
    },
  }
}

/** The name a page asked under is none of this server's. */
function refuseHost(response: ServerResponse): void {
  const body = JSON.stringify({ error: 'this host name is not served here' })
  response.shouldKeepAlive = false
  response.writeHead(421, { 'Content-Type': 'application/json', 'Content-Length': body.length })
  response.end(body)
}

const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Answers bytes that are not HTTP, a header block that is too large, or one that comes too slowly; then closes. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = REFUSALS[error.code ?? ''] ?? '400 Bad Request'
  const body = JSON.stringify({ error: status.slice(4) })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
