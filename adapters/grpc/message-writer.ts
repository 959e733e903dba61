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
  /** Messages that wait for one that is being compressed. */
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #last: CallStatus | null = null

  constructor(stream: ServerStream, responses: Responses, coding: Coding) {
    this.#stream = stream
    this.#responses = responses
    this.#coding = coding
  }

  /** Bytes that the client has not taken yet. */
  get unsent(): number {
    return this.#stream.unsent + this.#waitingBytes
  }

  /** Sends a message that has room for its prefix. False = more than the stream's mark waits. */
  send(message: EncodedMessage, release: (() => void) | undefined): boolean {
    if (this.#closed || this.#last !== null) {
      release?.()
      return true
    }
    if (this.#compressing) {
      this.#waiting.push({ message, release })
      this.#waitingBytes += message.byteLength
      return true
    }
    this.#start()
    if (this.#coding !== 'identity' && message.byteLength > 0) {
      return this.#compress(message, release)
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
    this.#waitingBytes = 0
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#stream.headers(this.#responses.head(this.#coding), false)
  }

  #compress(message: EncodedMessage, release: (() => void) | undefined): boolean {
    let taken = true
    this.#compressing = true
    compress(message, this.#coding, (parts, copied) => {
      this.#compressing = false
      if (this.#closed) {
        release?.()
        return
      }
      taken = this.#write(parts, release, copied)
      this.#goOn()
    })
    return taken
  }

  #goOn(): void {
    while (!this.#compressing && !this.#closed) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#waitingBytes -= next.message.byteLength
      this.#compress(next.message, next.release)
    }
    if (this.#compressing || this.#closed || this.#last === null) return
    this.finish(this.#last)
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
