import type {
  Batch,
  BatchDone,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Turn } from './turn.ts'

/** What a seat asks of the limiter. */
export interface Desk {
  /** `seat` has a batch: it gets a turn when there is one. */
  wait(seat: Seat): void
  /** `seat` no longer waits; false = it runs already. */
  leave(seat: Seat): boolean
  close(turn: Turn): Promise<void>
}

/** An instance as a scheduler sees it: takes one batch at a time and runs it when it is its turn. */
export class Seat implements Instance {
  /** The instance it runs on, or waits for; for a bound seat always its own. */
  turn: Turn | null = null
  batch: Batch | null = null
  marks: ExecutionMarks | null = null
  answers: DecoupledAnswers | null = null
  readonly #desk: Desk
  readonly #own: Turn
  readonly bound: boolean
  readonly crew: readonly Turn[]
  /** Only where answers go on after the batch is over. */
  readonly cancelled?: (request: InferRequest) => void
  #done: BatchDone | null = null

  constructor(options: {
    readonly desk: Desk
    readonly own: Turn
    readonly bound: boolean
    readonly crew: readonly Turn[]
  }) {
    this.#desk = options.desk
    this.#own = options.own
    this.bound = options.bound
    this.crew = options.bound ? [options.own] : options.crew
    const { instance } = options.own
    if (options.bound && instance.cancelled !== undefined) {
      this.cancelled = (request) => {
        const waits = this.turn?.running === false && this.batch?.requests.includes(request)
        if (waits !== true) instance.cancelled?.(request)
        else this.#dropCancelled()
      }
    }
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    this.batch = batch
    this.marks = marks
    this.answers = answers
    this.#done = done
    this.#desk.wait(this)
  }

  /** The batch is over, or will never be run. */
  finish(result: Parameters<BatchDone>[0]): void {
    const done = this.#done
    this.turn = null
    this.batch = null
    this.marks = null
    this.answers = null
    this.#done = null
    done?.(result)
  }

  terminate(): void {
    if (this.#desk.leave(this)) this.finish(notRun())
    else (this.turn ?? (this.bound ? this.#own : null))?.instance.terminate?.()
  }

  close(): Promise<void> {
    return this.#desk.close(this.#own)
  }

  /** Gives the waiting batch up when nobody is left who wants it. */
  #dropCancelled(): void {
    if (this.batch?.requests.every((request) => request.cancelled) !== true) return
    if (this.#desk.leave(this)) this.finish(notRun())
  }
}

function notRun(): ServerError {
  return new ServerError('CANCELLED', 'request was cancelled')
}
