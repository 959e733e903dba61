import type { Socket } from 'node:net'

/** Octets of one slab: many small answers, and a header block of any length that we send. */
export const SLAB_BYTES: number = 64 * 1024
/** Slabs kept for the next turn; further ones are left to the collector. */
const MAX_FREE_SLABS = 64
/** What one write may take; a slow peer is seen by the time that passes without the end of one. */
export const WRITE_BYTES: number = 256 * 1024

/** Slabs that no write uses. Connections hold one only while something waits in it. */
export class SlabPool {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
  }

  give(slab: Uint8Array): void {
    if (this.#free.length < MAX_FREE_SLABS) this.#free.push(slab)
  }
}

/**
 * What a connection has to send, gathered for one write per turn: small things are copied into a slab, bodies go as
 * views. At most one write is under way, so that whatever waits stays with its stream and is counted there.
 */
export class Output {
  /** The slab that {@link reserve} made room in. */
  slab: Uint8Array | null = null
  /** A write is under way that the socket did not take at once. */
  flying = false
  /** Octets that wait for the next write. */
  bytes = 0
  /** Of these and of the write under way, answers to control frames. */
  controlBytes = 0
  /** Writes that have ended. */
  writes = 0
  readonly #socket: Socket
  readonly #pool: SlabPool
  readonly #onDrained: () => void
  readonly #written: () => void
  #used = 0
  #sealed = 0
  #parts: Uint8Array[] = []
  #fullSlabs: Uint8Array[] = []
  #releases: (() => void)[] = []

  constructor(socket: Socket, pool: SlabPool, onDrained: () => void) {
    this.#socket = socket
    this.#pool = pool
    this.#onDrained = onDrained
    this.#written = () => {
      if (!this.flying || this.#socket.writableLength > 0) return
      this.flying = false
      this.#finish()
      this.#onDrained()
    }
  }

  /** Streams may write now; otherwise they wait. */
  get open(): boolean {
    return !this.flying && this.bytes < WRITE_BYTES
  }

  /** Makes room for `bytes` octets (at most a slab) in {@link slab}; returns where they go. They count as written. */
  reserve(bytes: number): number {
    if (this.slab === null || SLAB_BYTES - this.#used < bytes) this.#nextSlab()
    const at = this.#used
    this.#used += bytes
    this.bytes += bytes
    return at
  }

  /** Gives back the last `bytes` octets that were reserved. */
  unreserve(bytes: number): void {
    this.#used -= bytes
    this.bytes -= bytes
  }

  /** Sends `bytes` without copying them; they must stay as they are until the write has ended. */
  view(bytes: Uint8Array): void {
    this.#seal()
    this.#parts.push(bytes)
    this.bytes += bytes.length
  }

  /**
   * Calls `release` when everything that waits now was written or never will be. Views are only added while no write is
   * under way, so the end of any write is late enough.
   */
  onReleased(release: () => void): void {
    this.#releases.push(release)
  }

  /** Writes what waits, unless a write is under way; `force` queues another one, for a connection's last words. */
  flush(force = false): void {
    const socket = this.#socket
    if (this.bytes === 0 || (this.flying && !force) || socket.destroyed) return
    if (this.#parts.length === 0) {
      const slab = this.slab as Uint8Array
      this.bytes = 0
      socket.write(slab.subarray(this.#sealed, this.#used), this.#written)
    } else {
      this.#seal()
      const parts = this.#parts
      this.#parts = []
      this.bytes = 0
      socket.cork()
      const last = parts.length - 1
      for (let i = 0; i < last; i++) socket.write(parts[i] as Uint8Array)
      socket.write(parts[last] as Uint8Array, this.#written)
      socket.uncork()
    }
    if (socket.writableLength === 0) this.#finish()
    else {
      // The slab belongs to the write until that has ended.
      if (this.slab !== null) this.#fullSlabs.push(this.slab)
      this.slab = null
      this.#used = 0
      this.#sealed = 0
      this.flying = true
    }
  }

  /** The socket is closed: nothing that waits will be written. */
  discard(): void {
    this.flying = false
    this.bytes = 0
    this.#parts = []
    this.#finish()
  }

  #finish(): void {
    this.writes++
    this.controlBytes = 0
    const { slab } = this
    if (this.bytes === 0) {
      if (slab !== null) this.#pool.give(slab)
      this.slab = null
      this.#used = 0
      this.#sealed = 0
    }
    if (this.#fullSlabs.length > 0) this.#giveFullSlabs()
    if (this.#releases.length > 0) this.#release()
  }

  #giveFullSlabs(): void {
    // A part that waits may lie in one of them.
    if (this.#parts.length > 0) this.#fullSlabs = []
    for (const slab of this.#fullSlabs) this.#pool.give(slab)
    this.#fullSlabs.length = 0
  }

  #release(): void {
    const releases = this.#releases
    this.#releases = []
    for (const release of releases) release()
  }

  #nextSlab(): void {
    this.#seal()
    if (this.slab !== null) this.#fullSlabs.push(this.slab)
    this.slab = this.#pool.take()
    this.#used = 0
    this.#sealed = 0
  }

  #seal(): void {
    if (this.slab === null || this.#used === this.#sealed) return
    this.#parts.push(this.slab.subarray(this.#sealed, this.#used))
    this.#sealed = this.#used
  }
}
