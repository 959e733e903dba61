import type { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'

/** Lets answers out in the order in which their requests were dispatched (`preserve_ordering`). */
export interface OrderedAnswers {
  /** Places for `count` requests; returns the first. */
  reserve(count: number): number
  /** Answers `request` at `place` once every place before it was answered. */
  answer(place: number, request: InferRequest, answer: InferResponse | ServerError): void
}

interface Held {
  readonly request: InferRequest
  readonly answer: InferResponse | ServerError
}

/** Holds back no more answers than there are requests in flight. `send` passes one on and never throws. */
export function createOrderedAnswers(options: {
  readonly send: (request: InferRequest, answer: InferResponse | ServerError) => void
}): OrderedAnswers {
  const held = new Map<number, Held>()
  let reserved = 0
  let next = 0
  return {
    reserve(count) {
      const first = reserved
      reserved += count
      return first
    },
    answer(place, request, answer) {
      if (place !== next) {
        held.set(place, { request, answer })
        return
      }
      next++
      options.send(request, answer)
      for (let ready = held.get(next); ready !== undefined; ready = held.get(next)) {
        held.delete(next)
        next++
        options.send(ready.request, ready.answer)
      }
    },
  }
}
