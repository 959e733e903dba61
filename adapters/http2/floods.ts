import type { Http2Limits } from './types.ts'

const SECOND_MS = 1_000
/** Body octets, sent or received, that explain one more frame of little use, for example a WINDOW_UPDATE. */
const BYTES_PER_IDLE_FRAME_LOG2 = 8
/** Share of a peer's streams that it may reset however often it does. */
const MOST_STREAMS = 0.5
/** What a new stream explains, in octets. */
const STREAM_BYTES = 1_024
/** What a message explains that we send: gRPC's C core grants its header and its body, each to the stream and the connection. */
const MESSAGE_BYTES = 2_048

/**
 * Counts what costs a peer little and us much. Time is only looked at when a count is reached, so that counting is an
 * addition.
 */
export class Floods {
  readonly #limits: Http2Limits
  #idle = 0
  #idleSince = 0
  #bytes = 0
  #resets = 0
  #resetsSince = 0
  /** Streams since `#resetsSince`. */
  #streams = 0

  constructor(limits: Http2Limits) {
    this.#limits = limits
  }

  /** Octets of a body moved. */
  moved(bytes: number): void {
    this.#bytes += bytes
  }

  /** A message is to be sent. One, however few octets at a time the peer lets us send of it. */
  message(): void {
    this.#bytes += MESSAGE_BYTES
  }

  opened(): void {
    this.#bytes += STREAM_BYTES
    this.#streams++
  }

  /** A frame came that is no progress of a stream. True: there were too many. */
  idle(): boolean {
    if (++this.#idle === 1) this.#idleSince = performance.now()
    const allowed =
      this.#limits.maxIdleFramesPerSecond + this.#bytes / (1 << BYTES_PER_IDLE_FRAME_LOG2)
    if (this.#idle <= allowed) return false
    const now = performance.now()
    if (now - this.#idleSince < SECOND_MS) return true
    this.#idle = 1
    this.#idleSince = now
    this.#bytes = 0
    return false
  }

  /**
   * The peer reset a stream, or made us reset one. True: there were too many, and they were most of its streams. A client
   * with short deadlines cancels as often as an attacker does, but it lets calls end as well.
   */
  reset(): boolean {
    if (++this.#resets === 1) this.#startResets(performance.now())
    if (this.#resets <= this.#limits.maxResets) return false
    const now = performance.now()
    if (now - this.#resetsSince < this.#limits.resetWindowMs) {
      return this.#resets > this.#streams * MOST_STREAMS
    }
    this.#startResets(now)
    return false
  }

  #startResets(now: number): void {
    this.#resets = 1
    this.#resetsSince = now
    this.#streams = 1
  }
}
