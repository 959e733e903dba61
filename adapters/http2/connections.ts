import type { Socket } from 'node:net'
import { Connection, type ConnectionOptions } from './connection.ts'
import type { PeerInfo } from './types.ts'
import { sweepInterval, Watch } from './watch.ts'

/** The connections of a server, watched by one timer. */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #watches = new Set<Watch>()
  readonly #timer: NodeJS.Timeout
  #onEmpty: (() => void) | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    const interval = sweepInterval(options.limits, options.keepalive)
    this.#timer = setInterval(() => this.#sweep(), interval).unref()
  }

  get size(): number {
    return this.#watches.size
  }

  get streams(): number {
    let count = 0
    for (const { connection } of this.#watches) count += connection.streams.open.size
    return count
  }

  /** Speaks HTTP/2 on `socket`. */
  add(socket: Socket, peer: PeerInfo): void {
    const watch = new Watch(new Connection(socket, peer, this.#options), this.#options.limits)
    this.#watches.add(watch)
    socket.once('close', () => {
      this.#watches.delete(watch)
      if (this.#watches.size === 0) this.#onEmpty?.()
    })
    if (this.#onEmpty !== undefined) watch.connection.retire()
  }

  /** Retires all connections; resolves when there is none. */
  drain(): Promise<void> {
    for (const { connection } of this.#watches) connection.retire()
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#watches.size === 0) resolve()
    })
  }

  cut(): void {
    for (const { connection } of this.#watches) connection.socket.destroy()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #sweep(): void {
    const now = performance.now()
    for (const watch of this.#watches) {
      try {
        watch.sweep(now)
      } catch (error) {
        // A handler broke its promise not to throw; the others' time must go on.
        this.#options.log.error(`http2: ${error instanceof Error ? error.stack : String(error)}`)
        watch.connection.socket.destroy()
      }
    }
  }
}
