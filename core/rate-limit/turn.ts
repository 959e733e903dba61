import type { BatchResult, Instance } from '../backend/types.ts'
import type { ServerError } from '../errors.ts'
import type { Need } from './resources.ts'
import type { Seat } from './seat.ts'

/** One instance and how often it ran: it goes before others that ran more often, weighted by priority. */
export class Turn {
  readonly instance: Instance
  readonly needs: readonly Need[]
  /** 1 or more; an instance of 2 gets half the turns of one of 1. */
  readonly priority: number
  /** Batches it has run, times {@link priority}. */
  spent: number
  /** Who waits for it or has it run; null = it is free. */
  seat: Seat | null = null
  running = false
  closed = false
  /** What its instance calls when a batch is over; made once. */
  readonly onDone: (result: BatchResult | ServerError) => void

  constructor(options: {
    readonly instance: Instance
    readonly needs: readonly Need[]
    readonly priority: number
    readonly spent: number
    readonly onDone: (turn: Turn, result: BatchResult | ServerError) => void
  }) {
    this.instance = options.instance
    this.needs = options.needs
    this.priority = options.priority
    this.spent = options.spent
    this.onDone = (result) => options.onDone(this, result)
  }
}
