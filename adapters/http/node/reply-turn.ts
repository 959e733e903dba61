/** A reply that can wait for the end of the turn. */
export interface DeferredReply {
  flush(): void
}

/** Turns with a single reply before replies are no longer held back. */
const LONELY_TURNS = 4
/** While replies are not held back, one in so many is, to see whether it has company by now. */
const PROBE_EVERY = 32

/**
 * Replies that are ready in one turn of the event loop leave together at its end. Each write to a sleeping client costs a
 * wake-up of it, by far the dearest part of a small reply; written in a row, the first one wakes the client and the others
 * find it awake. A client that is alone would only wait longer, so replies that keep being alone in their turn are
 * written at once.
 */
export class ReplyTurn {
  #waiting: DeferredReply[] = []
  #spare: DeferredReply[] = []
  #lonely = 0
  #untilProbe = PROBE_EVERY
  readonly #end = (): void => this.#flush()

  /** Takes `reply` for the end of this turn; false when it is to be written now. */
  take(reply: DeferredReply): boolean {
    if (this.#lonely >= LONELY_TURNS && --this.#untilProbe > 0) return false
    if (this.#waiting.length === 0) setImmediate(this.#end)
    this.#waiting.push(reply)
    return true
  }

  #flush(): void {
    const replies = this.#waiting
    this.#waiting = this.#spare
    this.#untilProbe = PROBE_EVERY
    if (replies.length > 1) this.#lonely = 0
    else this.#lonely++
    for (const reply of replies) reply.flush()
    replies.length = 0
    this.#spare = replies
  }
}
