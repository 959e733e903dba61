import type { Duplex } from 'node:stream'
import { messageOf } from '../../../core/errors.ts'
import { FrameReader, frameOf } from './frames.ts'
import type { Message } from './messages.ts'

/** Bytes that may wait for a worker that does not read. */
export const MAX_UNSENT_BYTES: number = 64 * 1024 * 1024
/** So many blocks that nobody reads are told at once, whether or not anything else is to be said. */
const MAX_UNTOLD = 32

export interface ChannelUser {
  /** What it throws ends the channel. */
  message(message: Message): void
  /** Never called twice, and not after `close`. */
  broken(reason: string): void
}

/** Frames to and from a worker. */
export class Channel {
  readonly #socket: Duplex
  readonly #user: ChannelUser
  #free: number[] = []
  #open = true

  constructor(socket: Duplex, user: ChannelUser) {
    this.#socket = socket
    this.#user = user
    const reader = new FrameReader((text) => this.#frame(text))
    socket.on('data', (chunk: Buffer) => {
      if (!this.#open) return
      try {
        reader.push(chunk)
      } catch (error) {
        this.#break(`it sent a message that cannot be read: ${messageOf(error)}`)
      }
    })
    // The process that ended says more of why.
    socket.on('error', () => {})
    socket.on('end', () => this.#break('it closed its channel'))
  }

  /** `json` is an object, and not empty. */
  send(json: string, grown = 0): void {
    if (!this.#open) return
    let text = json
    if (grown > 0) text = `${text.slice(0, -1)},"grown":${grown}}`
    if (this.#free.length > 0) {
      text = `${text.slice(0, -1)},"free":[${this.#free.join(',')}]}`
      this.#free = []
    }
    this.#socket.write(frameOf(text))
    if (this.#socket.writableLength > MAX_UNSENT_BYTES)
      this.#break('it does not read what it is sent')
  }

  /** Told with what is sent next: a worker that has nothing to do needs no memory. */
  free(at: number): void {
    if (!this.#open) return
    this.#free.push(at)
    if (this.#free.length >= MAX_UNTOLD) this.send('{"kind":"free"}')
  }

  /** Nothing is sent or heard any more; the worker's end of it is closed. Idempotent. */
  close(): void {
    this.#open = false
    this.#socket.destroy()
  }

  #frame(text: string): void {
    if (!this.#open) return
    const message: unknown = JSON.parse(text)
    if (typeof message !== 'object' || message === null || !('kind' in message)) {
      throw new Error('it is no message')
    }
    this.#user.message(message as Message)
  }

  #break(reason: string): void {
    if (!this.#open) return
    this.close()
    this.#user.broken(reason)
  }
}
