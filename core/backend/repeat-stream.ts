import { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import type { Clock } from '../platform.ts'
import type { Tensor } from '../tensor.ts'

/** Responses without a delay that one turn of the event loop sends. */
export const MAX_RESPONSES_PER_TURN = 64

export interface RepeatStreamOptions {
  readonly clock: Clock
  readonly request: InferRequest
  readonly values: Int32Array
  /** One for each of `values`. */
  readonly delaysMs: Uint32Array
  readonly send: (answer: InferResponse | ServerError | null, final: boolean) => void
  /** Called once, after the final answer. */
  readonly onEnd: () => void
}

/** The responses to one request, one after the other; waits while the client does not take them. */
export class RepeatStream {
  readonly request: InferRequest
  readonly #options: RepeatStreamOptions
  #next = 0
  /** The delay of the next response is over. */
  #due = false
  #stopTimer: (() => void) | null = null
  #stepping = false
  #ended = false

  constructor(options: RepeatStreamOptions) {
    this.request = options.request
    this.#options = options
  }

  /** Ends it with CANCELLED. Idempotent. */
  stop(): void {
    this.#end(new ServerError('CANCELLED', 'request cancelled while executing'))
  }

  /** Sends what is due, and comes back for the rest. */
  readonly step = (): void => {
    // A sink may ask for more while it is given something.
    if (this.#stepping || this.#ended || this.#stopTimer !== null) return
    this.#stepping = true
    this.#send()
    this.#stepping = false
  }

  #send(): void {
    const { clock, values, delaysMs, send } = this.#options
    const { request } = this
    for (let sent = 0; this.#next < values.length; sent++) {
      if (request.cancelled) {
        this.stop()
        return
      }
      const delayMs = delaysMs[this.#next] as number
      if (delayMs > 0 && !this.#due) {
        this.#stopTimer = clock.after(delayMs * 1e6, this.#onDue)
        return
      }
      if (request.congested) {
        request.onWritable = this.step
        return
      }
      if (sent === MAX_RESPONSES_PER_TURN) {
        clock.nextTurn(this.step)
        return
      }
      const at = this.#next++
      this.#due = false
      send(responseOf(values[at] as number, at), false)
      // The client may have left because of what it got.
      if (this.#ended) return
    }
    this.#end(null)
  }

  readonly #onDue = (): void => {
    this.#stopTimer = null
    this.#due = true
    this.step()
  }

  #end(last: ServerError | null): void {
    if (this.#ended) return
    this.#ended = true
    this.#stopTimer?.()
    this.#stopTimer = null
    if (this.request.onWritable === this.step) this.request.onWritable = null
    this.#options.send(last, true)
    this.#options.onEnd()
  }
}

function responseOf(value: number, index: number): InferResponse {
  const data = new Uint8Array(8)
  const view = new DataView(data.buffer)
  view.setInt32(0, value, true)
  view.setUint32(4, index, true)
  const out: Tensor = { name: 'OUT', datatype: 'INT32', shape: [1], data: data.subarray(0, 4) }
  const idx: Tensor = { name: 'IDX', datatype: 'UINT32', shape: [1], data: data.subarray(4) }
  return { outputs: [out, idx] }
}
