import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { ModelStats } from '../stats.ts'
import { DeadlineHeap } from './deadline-heap.ts'
import { refuse } from './refusal.ts'
import type { Sequence } from './sequence.ts'
import type { Waiting } from './waiting.ts'

/** Sequences that wait whole for a slot, first come first served. */
export interface SequenceBacklog {
  readonly size: number
  /** Earliest end of a request's `timeout`; 0 = none. */
  readonly nextNs: number
  push(sequence: Sequence): void
  shift(): Sequence | undefined
  /** Nothing happens when `sequence` is not here. */
  remove(sequence: Sequence): void
  /** `waiting` was put in the line of a sequence that waits here: its timeout is now the sequence's. */
  watch(waiting: Waiting, nowNs: number): void
  /** `waiting` leaves its line. */
  forget(waiting: Waiting): void
  /** Refuses every request of each sequence that has one whose time is over. */
  expire(nowNs: number): void
}

export function createSequenceBacklog(options: {
  readonly stats: ModelStats
  /** Takes a request out of its line. */
  readonly leave: (waiting: Waiting) => InferRequest
  /** Ends a sequence that has no requests left. */
  readonly end: (sequence: Sequence) => void
}): SequenceBacklog {
  const { stats } = options
  const sequences = new Set<Sequence>()
  const deadlines = new DeadlineHeap()

  const forget = (waiting: Waiting): void => {
    if (waiting.heapIndex < 0) return
    deadlines.remove(waiting)
    waiting.deadlineNs = 0
  }
  const reject = (sequence: Sequence, nowNs: number): void => {
    const gone: InferRequest[] = []
    while (sequence.head !== null) gone.push(options.leave(sequence.head))
    options.end(sequence)
    for (const request of gone) {
      refuse({ request, error: sequenceExpired(), reason: 'REJECTED', stats, nowNs })
    }
  }
  return {
    get size() {
      return sequences.size
    },
    get nextNs() {
      return deadlines.peek()?.deadlineNs ?? 0
    },
    push(sequence) {
      sequences.add(sequence)
    },
    shift() {
      const [first] = sequences
      if (first === undefined) return undefined
      sequences.delete(first)
      for (let at = first.head; at !== null; at = at.next) forget(at)
      return first
    },
    remove(sequence) {
      sequences.delete(sequence)
    },
    watch(waiting, nowNs) {
      const timeoutUs = waiting.request?.timeoutUs ?? 0
      if (timeoutUs === 0) return
      waiting.deadlineNs = nowNs + timeoutUs * 1000
      deadlines.add(waiting)
    },
    forget,
    expire(nowNs) {
      for (
        let due = deadlines.peek();
        due !== undefined && due.deadlineNs <= nowNs;
        due = deadlines.peek()
      ) {
        reject(due.line as Sequence, nowNs)
      }
    },
  }
}

function sequenceExpired(): ServerError {
  return new ServerError('UNAVAILABLE', 'timeout of the corresponding sequence has been expired')
}
