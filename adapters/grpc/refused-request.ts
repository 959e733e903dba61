import type { HeaderBlock, ServerStream, StreamHandler } from '../http2/types.ts'
import type { Responses } from './responses.ts'

/** Of a body that nobody reads; with more of it the answer comes before its end. */
export const MAX_REFUSED_BODY_BYTES: number = 16 * 1024

/**
 * A request that is no call of gRPC. It is answered as any HTTP server would: when the request has ended, with a body for
 * whoever came here with a browser.
 */
export class RefusedRequest implements StreamHandler {
  readonly #stream: ServerStream
  readonly #responses: Responses
  readonly #head: HeaderBlock
  #received = 0

  constructor(stream: ServerStream, responses: Responses, head: HeaderBlock) {
    this.#stream = stream
    this.#responses = responses
    this.#head = head
  }

  data(chunk: Uint8Array, end: boolean): void {
    this.#received += chunk.length
    if (!end && this.#received <= MAX_REFUSED_BODY_BYTES) return
    const { notGrpc, noTrailers } = this.#responses
    this.#stream.answer(this.#head, [notGrpc], noTrailers)
  }

  aborted(): void {}
}
