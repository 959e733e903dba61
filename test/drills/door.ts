import type { Client } from './client.ts'
import { answered, type Inference, question } from './inference.ts'

/** Called with the means to break off a request; the request then ends with null. */
export type Cancel = (destroy: () => void) => void

/** A way into the server that one client at a time uses. */
export interface Door {
  readonly name: string
  /** Requests that one cancellation takes with it, on average. Default 1. */
  readonly together?: number
  /**
   * The values that came back; text = the answer is not the one of this request, and why; null = cancelled. Throws
   * `NoAnswer`.
   */
  ask(asked: Inference, cancel?: Cancel): Promise<BigInt64Array | string | null>
}

/** REST, with JSON or binary tensors as the inference says. */
export function restDoor(client: Client): Door {
  return {
    name: 'REST',
    async ask(asked, cancel) {
      const reply = await client.ask({
        ...question(asked),
        ...(cancel === undefined ? {} : { cancel }),
      })
      return reply === null ? null : answered(asked, reply)
    },
  }
}
