import { Closed } from './closed-streams.ts'
import type { Connection } from './connection.ts'
import { LINGER_MS, MIN_BODY_BYTES_PER_SECOND } from './limits.ts'
import type { Stream } from './stream.ts'
import { ErrorCode, type Http2Limits, type KeepaliveOptions } from './types.ts'

/** A peer that does not answer the PINGs after the first GOAWAY gets the last one after this, if it has no streams, … */
const IDLE_DRAIN_MS = 1_000
/** … and after this, which is gRPC's time, if it has some: it may be busy with large messages. */
const BUSY_DRAIN_MS = 20_000

/** Looks at one connection now and then for what has taken too long. Every wait in the transport ends here. */
export class Watch {
  readonly connection: Connection
  readonly #limits: Http2Limits
  #drainSince = -1
  #endSince = -1
  #block = -1
  #blockSince = -1
  #writes = -1
  #writesSince = -1

  constructor(connection: Connection, limits: Http2Limits) {
    this.connection = connection
    this.#limits = limits
  }

  sweep(now: number): void {
    const { connection } = this
    if (this.#writeStalls(now)) connection.socket.destroy()
    else if (connection.ended) this.#linger(now)
    else if (!connection.settled && now - connection.openedAt > this.#limits.handshakeMs) {
      connection.fail(ErrorCode.SETTINGS_TIMEOUT, 'no SETTINGS')
    } else if (this.#blockStalls(now)) {
      connection.fail(ErrorCode.ENHANCE_YOUR_CALM, 'a frame takes too long')
    } else {
      this.#keepalive(now)
      this.#drain(now)
      this.#streams(now)
    }
  }

  /** The write under way is the same as `writeStallMs` ago. */
  #writeStalls(now: number): boolean {
    const { output } = this.connection
    if (!output.flying || output.writes !== this.#writes) {
      this.#writes = output.writes
      this.#writesSince = now
      return false
    }
    return now - this.#writesSince > this.#limits.writeStallMs
  }

  /** A connection that ended waits for the peer: after a fault not long, else until it has taken what was written. */
  #linger(now: number): void {
    const { connection } = this
    if (this.#endSince < 0 || (!connection.failed && connection.socket.writableLength > 0)) {
      this.#endSince = now
    }
    if (now - this.#endSince > LINGER_MS) connection.socket.destroy()
  }

  /** A header block or another frame that is not a body must be complete in time. */
  #blockStalls(now: number): boolean {
    const { reader, requests } = this.connection
    const waiting = reader.waiting || requests.blocks.id !== 0
    if (!waiting || requests.blocks.begun !== this.#block) {
      this.#block = requests.blocks.begun
      this.#blockSince = now
      return false
    }
    return now - this.#blockSince > this.#limits.readStallMs
  }

  #keepalive(now: number): void {
    const { connection } = this
    const { heard } = connection
    connection.heard = false
    const duty = connection.keepalive.sweep(now, heard, connection.streams.open.size > 0)
    if (duty === 'ping') connection.sendKeepalive()
    else if (duty === 'retire') connection.retire()
    else if (duty !== 'none') connection.socket.destroy()
  }

  #drain(now: number): void {
    const { connection } = this
    if (connection.draining !== 1) return
    if (this.#drainSince < 0) this.#drainSince = now
    const limit = connection.streams.open.size > 0 ? BUSY_DRAIN_MS : IDLE_DRAIN_MS
    if (now - this.#drainSince > limit) connection.lastGoaway()
  }

  #streams(now: number): void {
    const { connection } = this
    for (const stream of connection.streams.open.values()) {
      if (!this.#bodyStalls(stream, now) && !this.#answerStalls(stream, now)) continue
      connection.control.reset(stream.id, ErrorCode.CANCEL)
      connection.closeStream(stream, Closed.BY_US)
      connection.touched()
      stream.handler.aborted()
    }
  }

  /** Over a whole `readStallMs` in which the peer was allowed to send, it sent next to nothing. */
  #bodyStalls(stream: Stream, now: number): boolean {
    const waits = !stream.remoteEnded && stream.receiveWindow > 0 && stream.handler.mayIdle !== true
    const elapsed = now - stream.receivedAt
    if (waits && stream.receivedAt > 0 && elapsed <= this.#limits.readStallMs) return false
    const came = stream.received - stream.seenReceived
    const stalls =
      waits && stream.receivedAt > 0 && came < (elapsed / 1_000) * MIN_BODY_BYTES_PER_SECOND
    stream.seenReceived = stream.received
    stream.receivedAt = waits ? now : 0
    return stalls
  }

  /** What waits is the same as `writeStallMs` ago, for lack of windows. */
  #answerStalls(stream: Stream, now: number): boolean {
    if (stream.drained || stream.sent !== stream.seenSent || stream.sentAt === 0) {
      stream.seenSent = stream.sent
      stream.sentAt = stream.drained ? 0 : now
      return false
    }
    return now - stream.sentAt > this.#limits.writeStallMs
  }
}

/** How often to look: often enough for the smallest limit, and not more often than once in 10 ms. */
export function sweepInterval(limits: Http2Limits, keepalive: KeepaliveOptions): number {
  const waits = [
    limits.handshakeMs,
    limits.readStallMs,
    limits.writeStallMs,
    keepalive.timeMs,
    keepalive.timeoutMs,
    keepalive.maxConnectionAgeMs || LINGER_MS,
    keepalive.maxConnectionAgeGraceMs || LINGER_MS,
    LINGER_MS,
  ]
  return Math.max(10, Math.min(...waits) / 2)
}
