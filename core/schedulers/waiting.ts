import type { InferRequest } from '../infer.ts'

/** Free entries a pool keeps; more are left to the garbage collector. */
export const MAX_POOLED_WAITING = 1024

/** One request that waits: a node of exactly one {@link WaitingLine}. */
export interface Waiting {
  /** null only while the node lies in the pool. */
  request: InferRequest | null
  line: WaitingLine | null
  previous: Waiting | null
  next: Waiting | null
  /** `Clock.now()` after which the queue policy acts on it; 0 = never. */
  deadlineNs: number
  /** Position in the deadline heap; -1 = not there. */
  heapIndex: number
  /** The request's `onCancel`, made once per node. */
  readonly onCancel: () => void
}

/** First in, first out; removal from the middle is O(1), so that the cancelled and the expired leave at once. */
export class WaitingLine {
  head: Waiting | null = null
  tail: Waiting | null = null
  size = 0

  push(waiting: Waiting): void {
    waiting.line = this
    waiting.previous = this.tail
    if (this.tail === null) this.head = waiting
    else this.tail.next = waiting
    this.tail = waiting
    this.size++
  }

  remove(waiting: Waiting): void {
    if (waiting.previous === null) this.head = waiting.next
    else waiting.previous.next = waiting.next
    if (waiting.next === null) this.tail = waiting.previous
    else waiting.next.previous = waiting.previous
    waiting.line = null
    waiting.previous = null
    waiting.next = null
    this.size--
  }
}

export interface WaitingPool {
  take(request: InferRequest): Waiting
  /** `waiting` is in no line any more; its request's `onCancel` is cleared. */
  give(waiting: Waiting): void
}

/** Nodes are used again, and with them their `onCancel`: a queued request costs no closure. */
export function createWaitingPool(options: {
  readonly onCancel: (waiting: Waiting) => void
}): WaitingPool {
  const free: Waiting[] = []
  const create = (): Waiting => {
    const waiting: Waiting = {
      request: null,
      line: null,
      previous: null,
      next: null,
      deadlineNs: 0,
      heapIndex: -1,
      onCancel: () => options.onCancel(waiting),
    }
    return waiting
  }
  return {
    take(request) {
      const waiting = free.pop() ?? create()
      waiting.request = request
      request.onCancel = waiting.onCancel
      return waiting
    },
    give(waiting) {
      if (waiting.request !== null) waiting.request.onCancel = null
      waiting.request = null
      waiting.deadlineNs = 0
      if (free.length < MAX_POOLED_WAITING) free.push(waiting)
    },
  }
}
