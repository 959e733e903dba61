import type { EncodedMessage } from '../../core/protocol/grpc/types.ts'
import type { ServerStream } from '../http2/types.ts'
import { compress } from './compressed-message.ts'
import type { Coding } from './compression.ts'
import { PREFIX_BYTES, writePrefix } from './message-reader.ts'
import type { Responses } from './responses.ts'
import type { CallStatus } from './types.ts'

interface Waiting {
  readonly message: EncodedMessage
  readonly release: (() => void) | undefined
}

/** The response of a stream: messages in the order in which they are sent, then a status. */
export class MessageWriter {
  readonly #stream: ServerStream
  readonly #responses: Responses
  readonly #coding: Coding
  #started = false
  #closed = false
  #compressing = false
  #goingOn = false
  /** Messages that wait for one that is being compressed. */
  #waiting: Waiting[] = []
  #last: CallStatus | null = null
  /** The stream took a message whose compression had let its sender go on, and more than its mark waits. */
  #blocked = false
  /** Somebody was told to wait for {@link #onWritable}. */
  #owesWritable = false
  readonly #onWritable: () => void

  /** `onWritable` says what the stream's own `writable` does not: messages that waited for compression are on their way. */
  constructor(
    stream: ServerStream,
    responses: Responses,
    coding: Coding,
    onWritable: () => void = () => undefined,
  ) {
    this.#stream = stream
    this.#responses = responses
    this.#coding = coding
    this.#onWritable = onWritable
  }

  /** To be called with the stream's `writable`. */
  unblock(): void {
    this.#blocked = false
    if (!this.#compressing) this.#owesWritable = false
  }

  /**
   * Sends a message that has room for its prefix. False = more than the stream's mark waits, or a message for one that is
   * being compressed: go on after `writable` of the stream or `onWritable`.
   */
  send(message: EncodedMessage, release: (() => void) | undefined): boolean {
    if (this.#closed || this.#last !== null) {
      release?.()
      return true
    }
    if (this.#compressing) {
      this.#waiting.push({ message, release })
      this.#owesWritable = true
      return false
    }
    this.#start()
    if (this.#coding !== 'identity' && message.byteLength > 0) {
      return this.#compress(message, release) && !this.#blocked
    }
    const { parts, byteLength } = message
    writePrefix(parts[0] as Uint8Array, byteLength)
    return this.#write(parts, release, parts.length === 1)
  }

  /** Ends the response when everything before is on its way. */
  finish(status: CallStatus): void {
    if (this.#closed) return
    if (this.#compressing) {
      this.#last ??= status
      return
    }
    this.#closed = true
    if (this.#started) this.#stream.trailers(this.#responses.trailers(status))
    else this.#stream.headers(this.#responses.only(status), true)
  }

  /** Nothing is sent any more. Idempotent. */
  abandon(): void {
    this.#closed = true
    for (const { release } of this.#waiting) release?.()
    this.#waiting = []
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#stream.headers(this.#responses.head(this.#coding), false)
  }

  #compress(message: EncodedMessage, release: (() => void) | undefined): boolean {
    let taken = true
    let sending = true
    this.#compressing = true
    compress(message, this.#coding, (parts, copied) => {
      this.#compressing = false
      if (this.#closed) {
        release?.()
        return
      }
      taken = this.#write(parts, release, copied)
      this.#blocked = !taken
      this.#goOn()
      // Its sender finds out by what `send` returns.
      if (!sending) this.#tellWritable()
    })
    sending = false
    return taken
  }

  #goOn(): void {
    // A small message is compressed at once and comes back here: a call for each would fill the stack.
    if (this.#goingOn) return
    this.#goingOn = true
    while (!this.#compressing && !this.#closed) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#compress(next.message, next.release)
    }
    this.#goingOn = false
    if (this.#compressing || this.#closed || this.#last === null) return
    this.finish(this.#last)
  }

  #tellWritable(): void {
    if (!this.#owesWritable || this.#blocked || this.#compressing || this.#closed) return
    this.#owesWritable = false
    this.#onWritable()
  }

  #write(
    parts: readonly Uint8Array[],
    release: (() => void) | undefined,
    copied: boolean,
  ): boolean {
    if (copied) release?.()
    const last = parts.length - 1
    let taken = true
    for (let i = 0; i <= last; i++) {
      const done = i === last && !copied ? release : undefined
      taken = this.#stream.data(parts[i] as Uint8Array, done)
    }
    return taken
  }
}

/** A message in pieces, with room for its prefix in front. */
export function withPrefix(parts: readonly Uint8Array[], byteLength: number): EncodedMessage {
  return { parts: [new Uint8Array(PREFIX_BYTES), ...parts], byteLength }
}
