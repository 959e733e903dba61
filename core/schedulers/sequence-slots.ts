import type { Sequence } from './sequence.ts'

/** Slots one instance may have; a larger `max_candidate_sequences` means this many. */
export const MAX_SEQUENCE_SLOTS = 65_536

/** A place for one sequence on one instance: the sequence never leaves it before it ends. */
export interface SequenceSlot {
  readonly lane: SequenceLane
  /** From 0; with the direct strategy the row of the batch. */
  readonly number: number
  sequence: Sequence | null
}

/** One instance with its slots: decides which of the sequences in them run together, and when. */
export interface SequenceLane {
  /** Those made so far, by number. */
  readonly slots: SequenceSlot[]
  /** Requests that were taken out of their sequence's line and wait here. */
  readonly queued: number
  /** Nothing of it is being executed. */
  readonly idle: boolean
  /** `slot` has a request to run. */
  wake(slot: SequenceSlot): void
  /** A time this lane asked for has come, or nothing is worth waiting for any more. */
  ring(nowNs: number): void
  /** No request is in a sequence's line any more. Resolves when what runs is answered. */
  close(): Promise<void>
}

/** Hands out the free slot with the lowest number, so that batches stay short; slots are made when first needed. */
export class SequenceSlots {
  readonly #lanes: readonly SequenceLane[]
  readonly #perLane: number
  /** Descending by number: the lowest leaves from the end. */
  readonly #free: SequenceSlot[] = []

  constructor(lanes: readonly SequenceLane[], perLane: number) {
    this.#lanes = lanes
    this.#perLane = Math.min(Math.max(1, perLane), MAX_SEQUENCE_SLOTS)
  }

  /** null when every slot of every instance is taken. */
  take(): SequenceSlot | null {
    let lane: SequenceLane | null = null
    for (const one of this.#lanes) {
      if (lane === null || one.slots.length < lane.slots.length) lane = one
    }
    const free = this.#free.at(-1)
    if (lane !== null && lane.slots.length < this.#perLane) {
      if (free === undefined || lane.slots.length < free.number) return make(lane)
    }
    return this.#free.pop() ?? null
  }

  give(slot: SequenceSlot): void {
    let low = 0
    let high = this.#free.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#free[middle] as SequenceSlot).number > slot.number) low = middle + 1
      else high = middle
    }
    this.#free.splice(low, 0, slot)
  }
}

function make(lane: SequenceLane): SequenceSlot {
  const slot: SequenceSlot = { lane, number: lane.slots.length, sequence: null }
  lane.slots.push(slot)
  return slot
}
