import { enterAnnounced, growth, heldAtFirst } from '../../core/overload/announced.ts'
import type { Gate } from '../../core/overload/types.ts'
import type { ServerStream } from '../http2/types.ts'
import { statusOf } from './call-status.ts'
import { type Coding, type InflateLimits, inflate, tooLarge } from './compression.ts'
import { type CallStatus, Status } from './types.ts'

/** A compression flag and a length in front of each message. */
export const PREFIX_BYTES = 5
/** A message up to this size gets its whole buffer at once; beyond it memory follows what really arrives. */
const EAGER_BYTES: number = 8 * 1024 * 1024
/** Chunks below this that nobody reads yet are copied, so that none of them keeps the memory that it came in. */
const CRUMB_BYTES = 4 * 1024
/** Memory for such chunks. */
const CRUMBS_BYTES: number = 16 * 1024
/** What a client may send ahead of a message whose length is known, beyond the stream's own window. */
const GRANT_BYTES: number = 1024 * 1024
/** Credit is handed back in steps of at least this; well below any stream's window. */
const CREDIT_STEP: number = 16 * 1024

const NOTHING = new Uint8Array(0)

export interface MessageSink {
  /** One whole message, expanded. `held` bytes were taken at the gate with it, to be given back with `leave(held)`. */
  message(bytes: Uint8Array, held: number): void
  /** The client sends no more. */
  end(): void
  /** What came is no message, or more than is allowed. Nothing follows. */
  failed(status: CallStatus): void
}

export interface ReaderOptions {
  /** `--grpc-max-message-size`, also after decompression. */
  readonly maxBytes: number
  readonly inflateRatio: number
  readonly inflateFreeBytes: number
}

/** The big-endian length behind the flag of a prefix. */
export function prefixLength(bytes: Uint8Array): number {
  return (
    (bytes[1] as number) * 0x100_0000 +
    (bytes[2] as number) * 0x1_0000 +
    (bytes[3] as number) * 0x100 +
    (bytes[4] as number)
  )
}

/** Writes the prefix of a plain message of `length` bytes at the start of `bytes`. */
export function writePrefix(bytes: Uint8Array, length: number, flag: 0 | 1 = 0): void {
  bytes[0] = flag
  bytes[1] = length >>> 24
  bytes[2] = length >>> 16
  bytes[3] = length >>> 8
  bytes[4] = length
}

/**
 * Takes a stream's body apart into messages. Every length is checked before anything of that size is kept; a message that
 * lies within one chunk is passed on as a view, any other is copied once. Gives the client credit for what was read.
 */
export class MessageReader {
  readonly #stream: ServerStream
  readonly #sink: MessageSink
  readonly #coding: Coding
  readonly #options: ReaderOptions
  readonly #inflateLimits: InflateLimits
  readonly #gate: Gate | undefined
  /** Bytes of the current prefix that were read. */
  #prefixed = 0
  #flag = 0
  #length = 0
  #body: Uint8Array | null = null
  #filled = 0
  /** Taken at the gate for the message in progress; -1 = nothing. */
  #held = -1
  /** Credit given ahead of the current message. */
  #granted = 0
  /** Bytes read that no credit was given for yet. */
  #owed = 0
  #backlog: Uint8Array[] = []
  /** Memory of the last chunks of the backlog, if they were small. */
  #crumbs: Uint8Array = NOTHING
  #crumbsUsed = 0
  #inflating: { stop(): number } | null = null
  #paused = false
  #busy = false
  #ended = false
  #closed = false

  constructor(
    stream: ServerStream,
    sink: MessageSink,
    coding: Coding,
    options: ReaderOptions,
    gate: Gate | undefined,
  ) {
    this.#stream = stream
    this.#sink = sink
    this.#coding = coding
    this.#options = options
    this.#inflateLimits = {
      maxBytes: options.maxBytes,
      ratio: options.inflateRatio,
      freeBytes: options.inflateFreeBytes,
      gate,
    }
    this.#gate = gate
  }

  push(chunk: Uint8Array, end: boolean): void {
    if (this.#closed) return
    if (this.#stopped && chunk.length < CRUMB_BYTES) this.#addCrumb(chunk)
    else if (chunk.length > 0) this.#backlog.push(chunk)
    if (end) this.#ended = true
    this.#run()
  }

  #addCrumb(chunk: Uint8Array): void {
    const backlog = this.#backlog
    const last = backlog[backlog.length - 1]
    let start = 0
    if (
      last?.buffer === this.#crumbs.buffer &&
      this.#crumbsUsed + chunk.length <= this.#crumbs.length
    ) {
      start = last.byteOffset
      backlog.pop()
    } else {
      this.#crumbs = new Uint8Array(CRUMBS_BYTES)
      this.#crumbsUsed = 0
    }
    this.#crumbs.set(chunk, this.#crumbsUsed)
    this.#crumbsUsed += chunk.length
    backlog.push(this.#crumbs.subarray(start, this.#crumbsUsed))
  }

  /** Nothing of a message waits for the rest of it, or nothing is read now: the client need not send. */
  get idle(): boolean {
    return this.#prefixed === 0 || this.#stopped
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#run()
  }

  /** Nothing is passed on any more; what is half read is given back. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#backlog = []
    this.#body = null
    if (this.#inflating !== null) this.#held += this.#inflating.stop()
    this.#inflating = null
    if (this.#held >= 0) this.#gate?.leave(this.#held)
    this.#held = -1
  }

  #run(): void {
    // A sink that pauses and resumes while it is handed a message must not start a second loop.
    if (this.#busy) return
    this.#busy = true
    while (!this.#stopped && this.#backlog.length > 0) {
      const chunk = this.#backlog[0] as Uint8Array
      const used = this.#consume(chunk)
      // A sink may have closed the reader from within.
      if (this.#closed) break
      if (used === chunk.length) this.#backlog.shift()
      else this.#backlog[0] = chunk.subarray(used)
    }
    this.#busy = false
    if (this.#closed || this.#stopped || !this.#ended) return
    this.#ended = false
    if (this.#prefixed > 0) this.#fail({ code: Status.INTERNAL, message: 'incomplete message' })
    else this.#sink.end()
  }

  get #stopped(): boolean {
    return this.#closed || this.#paused || this.#inflating !== null
  }

  /** Reads up to the end of one message at most; returns how much of `chunk` it took. */
  #consume(chunk: Uint8Array): number {
    let at = 0
    while (this.#prefixed < PREFIX_BYTES && at < chunk.length) {
      const byte = chunk[at++] as number
      if (this.#prefixed === 0) this.#flag = byte
      else this.#length = this.#prefixed === 1 ? byte : this.#length * 0x100 + byte
      this.#prefixed++
      if (this.#prefixed === PREFIX_BYTES && !this.#begin(chunk.length - at)) return at
    }
    if (this.#prefixed < PREFIX_BYTES) {
      this.#account(at, 0)
      return at
    }
    const missing = this.#length - this.#filled
    const piece = at === 0 && chunk.length <= missing ? chunk : chunk.subarray(at, at + missing)
    at += piece.length
    if (!this.#count(this.#filled + piece.length)) return at
    this.#account(at, piece.length)
    if (this.#body === null && piece.length === this.#length) {
      this.#deliver(piece)
      return at
    }
    this.#keep(piece)
    if (this.#filled === this.#length) this.#deliver(this.#body ?? piece)
    return at
  }

  /** Checks a whole prefix; false when the call failed. `following` bytes of the message are here already. */
  #begin(following: number): boolean {
    const { maxBytes } = this.#options
    const length = this.#length
    if (this.#flag > 1) {
      this.#fail({ code: Status.INTERNAL, message: `invalid message flag ${this.#flag}` })
      return false
    }
    if (this.#flag === 1 && this.#coding === 'identity') {
      this.#fail({ code: Status.INTERNAL, message: 'compressed message without grpc-encoding' })
      return false
    }
    if (length > maxBytes) {
      this.#fail(tooLarge(length, maxBytes))
      return false
    }
    const gate = this.#gate
    const refusal = gate === undefined ? null : enterAnnounced(gate, length)
    if (refusal !== null) {
      this.#fail(statusOf(refusal))
      return false
    }
    this.#held = heldAtFirst(length)
    this.#filled = 0
    if (length > following && !this.#ended) this.#grant(length - following)
    return true
  }

  /** Counts `bytes` of the message, and some that follow them; false when the call failed. */
  #count(bytes: number): boolean {
    const more = growth(this.#length, this.#held, bytes)
    if (more === 0) return true
    const refusal = this.#gate?.grow(more) ?? null
    if (refusal !== null) {
      this.#fail(statusOf(refusal))
      return false
    }
    this.#held += more
    return true
  }

  #grant(missing: number): void {
    if (this.#granted >= Math.min(missing, GRANT_BYTES / 2)) return
    const more = Math.min(missing, GRANT_BYTES) - this.#granted
    this.#granted += more
    this.#stream.credit(more)
  }

  /** `taken` bytes of the window were used, `ofBody` of them for the current message. */
  #account(taken: number, ofBody: number): void {
    const ahead = Math.min(ofBody, this.#granted)
    this.#granted -= ahead
    this.#owed += taken - ahead
    if (this.#owed < CREDIT_STEP || this.#ended) return
    this.#stream.credit(this.#owed)
    this.#owed = 0
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#filled + piece.length
    if (this.#body === null || needed > this.#body.length) {
      const eager = this.#body === null ? EAGER_BYTES : this.#body.length * 2
      const size = Math.min(this.#length, Math.max(needed, eager))
      const larger = Buffer.allocUnsafeSlow(size)
      if (this.#body !== null) larger.set(this.#body.subarray(0, this.#filled))
      this.#body = larger
    }
    this.#body.set(piece, this.#filled)
    this.#filled = needed
    if (needed < this.#length && !this.#ended) this.#grant(this.#length - needed)
  }

  #deliver(message: Uint8Array): void {
    const held = this.#held
    this.#prefixed = 0
    this.#body = null
    this.#filled = 0
    if (this.#flag === 0) {
      this.#held = -1
      this.#sink.message(message, held)
      return
    }
    let settled = false
    const inflating = inflate(
      message,
      this.#coding as 'gzip' | 'deflate',
      this.#inflateLimits,
      (status, bytes, more) => {
        settled = true
        this.#inflating = null
        this.#held = held + more
        if (status !== null) {
          this.#fail(status)
          return
        }
        this.#held = -1
        this.#sink.message(bytes, held + more)
        this.#run()
      },
    )
    if (!settled) this.#inflating = inflating
  }

  #fail(status: CallStatus): void {
    this.close()
    this.#sink.failed(status)
  }
}
