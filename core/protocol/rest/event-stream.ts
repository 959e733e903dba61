import { ServerError } from '../../errors.ts'
import type { InferRequest, InferResponse, ResponseSink } from '../../infer.ts'
import { errorBody } from './status.ts'

/** Bytes of events that wait for the client before the model is asked to wait too. */
export const EVENT_BUFFER_BYTES: number = 64 * 1024
/** Bytes that may wait when a model goes on all the same: beyond them its request is cancelled. */
export const MAX_EVENT_BACKLOG_BYTES: number = 64 * 1024 * 1024

const utf8 = new TextEncoder()
const PREFIX = utf8.encode('data: ')
const SUFFIX = utf8.encode('\n\n')

/** One server-sent event. `json` has no line breaks. */
export function eventOf(json: Uint8Array): Uint8Array {
  const event = new Uint8Array(PREFIX.length + json.length + SUFFIX.length)
  event.set(PREFIX)
  event.set(json, PREFIX.length)
  event.set(SUFFIX, PREFIX.length + json.length)
  return event
}

export interface EventStreamOptions {
  /** Writes a response. What it throws becomes an event, too. */
  readonly encode: (response: InferResponse) => Uint8Array
  /** The first answer is there: `error` when it is one. */
  readonly onFirst: (error: ServerError | null) => void
  /** Nothing more is written. Called once. */
  readonly onEnd: () => void
}

/**
 * The answers of one request as server-sent events. It holds what the client has not taken yet and gives it out in one piece;
 * the stream itself holds nothing.
 */
export class EventStream implements ResponseSink {
  readonly stream: ReadableStream<Uint8Array>
  readonly #options: EventStreamOptions
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #request: InferRequest | null = null
  #waiting: Uint8Array[] = []
  #bytes = 0
  /** The client asked for more than there was. */
  #wanted = false
  #started = false
  #ended = false

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#pull(),
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 },
    )
  }

  answer(request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    this.#request = request
    let error = answer instanceof ServerError ? answer : null
    if (this.#ended) {
      if (answer !== null && error === null) (answer as InferResponse).release?.()
      return
    }
    if (answer !== null && error === null) error = this.#write(answer as InferResponse)
    if (error !== null) this.#push(eventOf(utf8.encode(errorBody(error.message))))
    if (!this.#started) {
      this.#started = true
      this.#options.onFirst(error)
    }
    if (final) this.#end()
    else if (this.#bytes > MAX_EVENT_BACKLOG_BYTES) this.#giveUp(request)
    this.#flush()
  }

  congested(): boolean {
    return !this.#ended && this.#bytes >= EVENT_BUFFER_BYTES
  }

  /** The client is gone, or does not want any more. Idempotent. */
  leave(): void {
    this.#waiting = []
    this.#bytes = 0
    if (this.#ended) return
    this.#end()
    const request = this.#request
    request?.cancel()
    // A model that waits for its client finds out now.
    request?.onWritable?.()
  }

  /** Who is to be cancelled when the client leaves before the first answer. */
  follow(request: InferRequest): void {
    this.#request = request
  }

  /** Returns what went wrong. */
  #write(response: InferResponse): ServerError | null {
    try {
      this.#push(eventOf(this.#options.encode(response)))
      return null
    } catch (error) {
      return ServerError.from(error)
    } finally {
      response.release?.()
    }
  }

  #push(event: Uint8Array): void {
    this.#waiting.push(event)
    this.#bytes += event.length
  }

  #giveUp(request: InferRequest): void {
    const text = `more than ${MAX_EVENT_BACKLOG_BYTES} bytes of events wait for the client`
    this.#push(eventOf(utf8.encode(errorBody(text))))
    this.#end()
    request.cancel()
  }

  #end(): void {
    this.#ended = true
    this.#options.onEnd()
  }

  #pull(): void {
    this.#wanted = true
    const congested = this.congested()
    this.#flush()
    if (congested) this.#request?.onWritable?.()
  }

  #flush(): void {
    const controller = this.#controller
    if (controller === null) return
    if (this.#wanted && this.#waiting.length > 0) {
      this.#wanted = false
      const events = joined(this.#waiting, this.#bytes)
      this.#waiting = []
      this.#bytes = 0
      controller.enqueue(events)
    }
    if (!this.#ended || this.#waiting.length > 0) return
    this.#controller = null
    try {
      controller.close()
    } catch {
      // It was cancelled.
    }
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
