import { DeadlineHeap } from './deadline-heap.ts'
import type { Sequence } from './sequence.ts'

/** Finds the sequences that hold a slot and that nobody asks for. */
export interface SequenceIdle {
  /** When to look next; 0 = never. */
  readonly nextNs: number
  add(sequence: Sequence, nowNs: number): void
  /** Nothing happens when `sequence` is not here. */
  remove(sequence: Sequence): void
  expire(nowNs: number): void
}

/**
 * A sequence is idle while no request of it waits or runs. Requests only note their time; a deadline that was moved by
 * them is found out when it rings, so that a step costs no timer and no heap.
 */
export function createSequenceIdle(options: {
  /** 0 = a sequence may be idle for ever. */
  readonly idleNs: number
  readonly onIdle: (sequence: Sequence) => void
}): SequenceIdle {
  const { idleNs } = options
  const deadlines = new DeadlineHeap<Sequence>()

  const add = (sequence: Sequence, atNs: number): void => {
    if (idleNs === 0) return
    sequence.deadlineNs = atNs + idleNs
    deadlines.add(sequence)
  }
  return {
    get nextNs() {
      return deadlines.peek()?.deadlineNs ?? 0
    },
    add,
    remove: (sequence) => deadlines.remove(sequence),
    expire(nowNs) {
      for (
        let due = deadlines.peek();
        due !== undefined && due.deadlineNs <= nowNs;
        due = deadlines.peek()
      ) {
        deadlines.remove(due)
        const busy = due.running !== null || due.size > 0
        if (busy) add(due, nowNs)
        else if (due.touchedNs + idleNs > nowNs) add(due, due.touchedNs)
        else options.onIdle(due)
      }
    },
  }
}
