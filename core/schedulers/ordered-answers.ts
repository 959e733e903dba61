import type { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'

/**
 * Answers of one request that are kept back before its producer is asked to wait. It need not: what it sends all the same is
 * kept too.
 */
export const MAX_HELD_ANSWERS = 64

/** Lets answers out in the order in which their requests were dispatched (`preserve_ordering`). */
export interface OrderedAnswers {
  /** Places for `count` requests; returns the first. */
  reserve(count: number): number
  /**
   * Answers `request` at `place` once every place before it had its final answer. The first place that has none yet gets its
   * answers through as they come.
   */
  answer(place: number, request: InferRequest, answer: Answer, final: boolean): void
}

type Answer = InferResponse | ServerError | null

interface Held {
  readonly request: InferRequest
  readonly answers: Answer[]
  /** The last of `answers` is the request's final one. */
  final: boolean
}

/** `send` passes one answer on and never throws. */
export function createOrderedAnswers(options: {
  readonly send: (request: InferRequest, answer: Answer, final: boolean) => void
}): OrderedAnswers {
  const held = new Map<number, Held>()
  let reserved = 0
  let next = 0
  let flushing = false

  const hold = (place: number, request: InferRequest, answer: Answer, final: boolean): void => {
    let entry = held.get(place)
    if (entry === undefined) {
      entry = { request, answers: [], final: false }
      held.set(place, entry)
    }
    entry.answers.push(answer)
    entry.final = final
    if (entry.answers.length >= MAX_HELD_ANSWERS) request.heldBack = true
  }
  /** Sends what waits at the first place, and goes on to the next ones while they are complete. */
  const flush = (): void => {
    flushing = true
    for (let entry = held.get(next); entry !== undefined; entry = held.get(next)) {
      const { request, answers } = entry
      for (let i = 0; i < answers.length; i++) {
        options.send(request, answers[i] as Answer, entry.final && i === answers.length - 1)
      }
      held.delete(next)
      if (entry.final) next++
      if (!request.heldBack) continue
      request.heldBack = false
      if (!entry.final && !request.congested) request.onWritable?.()
    }
    flushing = false
  }

  return {
    reserve(count) {
      const first = reserved
      reserved += count
      return first
    },
    answer(place, request, answer, final) {
      if (place !== next || flushing) {
        hold(place, request, answer, final)
        return
      }
      options.send(request, answer, final)
      if (!final) return
      next++
      flush()
    },
  }
}
