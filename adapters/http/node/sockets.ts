import type { IncomingMessage, Server } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'

/** How often stalled bodies are looked for. */
const SWEEP_MS = 2_000
/** A body in transfer must average this over each window of `bodyStallMs`. */
export const MIN_BODY_BYTES_PER_SECOND = 1024
/** How often a closing listener looks for connections that have become idle. */
const DRAIN_CHECK_MS = 50
/**
 * For this long a closing listener leaves connections open between requests, so that a busy client's next request is
 * answered, with `Connection: close`, instead of meeting the end of its connection.
 */
export const DRAIN_LINGER_MS = 250
const TOO_SLOW =
  'HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 27\r\nConnection: close\r\n\r\n{"error":"Request Timeout"}'

const CONNECTION: unique symbol = Symbol('connection')
type KnownSocket = Socket & { [CONNECTION]?: Connection }

/** A request that can be told that nobody waits for its answer any more. */
export interface Cancellable {
  cancel(): void
}

/** What the listener knows about one connection. */
export class Connection {
  /** Begun and not yet answered; several when a client pipelines. */
  readonly inflight: Set<Cancellable> = new Set()
  /** The newest request; its body may still be arriving. */
  message: IncomingMessage | null = null
  /** Bytes the socket had read when the current window of observation began. */
  bytesSeen = 0
  windowStart = 0
  /** The message this window belongs to. */
  observed: IncomingMessage | null = null
  /** The listener closes: the next answer is the last on this connection. */
  last = false
  /** What its verified client certificate is known by; '' = none. */
  certificate = ''
}

/**
 * The listener's connections: cancels what a vanished client asked for, cuts bodies that stall, and drains on close.
 * One listener per connection instead of one per request keeps this off the request path.
 */
export class Sockets {
  draining = false
  /** Memory is short: connections are closed after their answers. */
  sparing = false
  readonly #sockets = new Set<KnownSocket>()
  readonly #handshakes = new Set<Socket>()
  readonly #stallMs: number
  readonly #sweeper: NodeJS.Timeout

  constructor(stallMs: number) {
    this.#stallMs = stallMs
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  /** The record of `socket`. */
  of(socket: Socket): Connection {
    return (socket as KnownSocket)[CONNECTION] ?? this.add(socket)
  }

  add(socket: KnownSocket): Connection {
    const connection = new Connection()
    socket[CONNECTION] = connection
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      connection.message = null
      connection.observed = null
      for (const request of connection.inflight) request.cancel()
      connection.inflight.clear()
    })
    return connection
  }

  /** A connection whose TLS handshake goes on; what comes of it is added by itself. */
  addHandshake(socket: Socket): void {
    this.#handshakes.add(socket)
    socket.once('close', () => this.#handshakes.delete(socket))
  }

  /** The handshake above `socket` is done: what was made of it is added by itself. */
  endHandshake(socket: Socket): void {
    this.#handshakes.delete(socket)
  }

  #sweep(): void {
    const now = performance.now()
    for (const socket of this.#sockets) {
      const connection = socket[CONNECTION] as Connection
      const { message } = connection
      if (message === null || message.complete) continue
      if (connection.observed !== message) {
        connection.observed = message
        connection.bytesSeen = socket.bytesRead
        connection.windowStart = now
        continue
      }
      const elapsed = now - connection.windowStart
      if (elapsed < this.#stallMs) continue
      if (socket.bytesRead - connection.bytesSeen < (elapsed / 1000) * MIN_BODY_BYTES_PER_SECOND) {
        connection.message = null
        socket.end(TOO_SLOW, () => socket.destroy())
      } else {
        connection.bytesSeen = socket.bytesRead
        connection.windowStart = now
      }
    }
  }

  /** Resolves when every connection of `server` is closed; after `timeoutMs` the rest is cut. */
  drain(server: Server, timeoutMs: number): Promise<void> {
    this.draining = true
    for (const socket of this.#sockets) (socket[CONNECTION] as Connection).last = true
    return new Promise((resolve) => {
      let idle: NodeJS.Timeout | undefined
      const linger = setTimeout(
        // After the turn's reads: on a machine that stood still, timers come before requests that are older.
        () => setImmediate(end),
        Math.min(DRAIN_LINGER_MS, timeoutMs),
      )
      let over = false
      const end = (): void => {
        if (over) return
        this.#closeUnused()
        server.close()
        idle = setInterval(() => server.closeIdleConnections(), DRAIN_CHECK_MS)
      }
      const cut = setTimeout(() => {
        server.closeAllConnections()
        for (const socket of this.#handshakes) socket.destroy()
      }, timeoutMs)
      server.once('close', () => {
        over = true
        clearTimeout(linger)
        clearInterval(idle)
        clearTimeout(cut)
        clearInterval(this.#sweeper)
        // Ends Node's own checks of connections.
        server.close()
        resolve()
      })
      // Only stops accepting: `close` of an HTTP server would also end the connections that are idle at this moment.
      NetServer.prototype.close.call(server)
    })
  }

  /** Node does not count a connection that never sent anything among the idle ones. */
  #closeUnused(): void {
    for (const socket of this.#sockets) {
      if ((socket[CONNECTION] as Connection).message === null) socket.destroy()
    }
    for (const socket of this.#handshakes) socket.destroy()
  }
}
