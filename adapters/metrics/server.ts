import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { AccessRefusal, Caller } from '../../core/access/types.ts'
import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'

/** How long an answer is given again instead of being made anew, milliseconds. */
export const SCRAPE_CACHE_MS = 1_000
/** Open connections of the metrics port. */
export const MAX_METRICS_CONNECTIONS = 100
/** Time for a request's head, milliseconds. */
export const METRICS_HEADER_TIMEOUT_MS = 10_000
const MAX_HEADER_BYTES = 16 * 1024

export interface MetricsServerOptions {
  readonly metrics: () => Promise<{ readonly contentType: string; text(): Promise<string> }>
  readonly address: string
  /** 0 = any free port. */
  readonly port: number
  readonly log: Log
  /** Asked before metrics are given (`--metrics-require-key`). Default: they are for everybody. */
  readonly authorize?: ((caller: Caller) => AccessRefusal | null) | undefined
}

export interface MetricsServer {
  readonly port: number
  /** Stops listening and closes every connection. Idempotent. */
  close(): Promise<void>
}

interface Scrape {
  readonly at: number
  readonly text: Promise<{ readonly contentType: string; readonly body: string }>
}

/** Triton's metrics port: GET /metrics, an empty 200 for every other path, 405 for every other method. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  let scrape: Scrape | undefined

  /** One scrape at a time, and at most one a second: whoever comes meanwhile shares it. */
  function current(): Scrape['text'] {
    const now = performance.now()
    if (scrape === undefined || now - scrape.at >= SCRAPE_CACHE_MS) {
      const text = options
        .metrics()
        .then(async (metrics) => ({ contentType: metrics.contentType, body: await metrics.text() }))
      scrape = { at: now, text }
      text.catch(() => {
        scrape = undefined
      })
    }
    return scrape.text
  }

  async function answer(response: ServerResponse): Promise<void> {
    try {
      const { contentType, body } = await current()
      send(response, 200, contentType, body)
    } catch (error) {
      options.log.error(`failed to collect metrics: ${messageOf(error)}`)
      send(response, 500, 'application/json', '{"error":"failed to collect metrics"}')
    }
  }

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: METRICS_HEADER_TIMEOUT_MS,
      requestTimeout: METRICS_HEADER_TIMEOUT_MS,
    },
    (request, response) => {
      request.resume()
      if (request.method !== 'GET') {
        send(response, 405, 'text/plain', '{"error":"Method Not Allowed"}')
      } else if (request.url?.split('?', 1)[0] === '/metrics') {
        const refusal = options.authorize?.(callerOf(request)) ?? null
        if (refusal === null) void answer(response)
        else refuse(response, refusal)
      } else {
        send(response, 200, 'text/plain; charset=utf-8', '')
      }
    },
  )
  server.maxConnections = MAX_METRICS_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.address, port: options.port, exclusive: true }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => options.log.error(`metrics listener: ${error.message}`))

  let closing: Promise<void> | undefined
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closing
    },
  }
}

function callerOf({ headers, socket }: IncomingMessage): Caller {
  return {
    door: 'http',
    address: socket.remoteAddress ?? '',
    certificate: '',
    header(name) {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
  }
}

const REFUSED = { restricted: 403, unauthenticated: 401, forbidden: 403, limited: 429 } as const

function refuse(response: ServerResponse, refusal: AccessRefusal): void {
  if (refusal.kind === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer')
  if (refusal.retryAfterSecs !== undefined) {
    response.setHeader('Retry-After', refusal.retryAfterSecs)
  }
  const body = JSON.stringify({ error: refusal.message })
  send(response, REFUSED[refusal.kind], 'application/json', body)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}
