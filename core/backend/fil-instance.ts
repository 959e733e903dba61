import { ServerError } from '../errors.ts'
import type { Clock } from '../platform.ts'
import { FilRun } from './fil-run.ts'
import type { FilPlan } from './fil-scores.ts'
import type { Batch, BatchDone, ExecutionMarks, Instance } from './types.ts'

/** One batch at a time: at once where it is short, else a slice in each turn of the event loop. */
export class FilInstance implements Instance {
  readonly #clock: Clock
  readonly #run: FilRun
  readonly #step = (): void => this.#turn()
  #batch: Batch | null = null
  #marks: ExecutionMarks | null = null
  #done: BatchDone | null = null
  #stopped = false
  #closed = false
  #idle: (() => void)[] = []

  constructor(plan: FilPlan, clock: Clock) {
    this.#clock = clock
    this.#run = new FilRun(plan)
  }

  execute(batch: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closed || this.#done !== null) {
      done(new ServerError('INTERNAL', 'the model instance is closed or busy'))
      return
    }
    this.#batch = batch
    this.#marks = marks
    this.#done = done
    this.#stopped = false
    try {
      this.#run.begin(batch)
    } catch (error) {
      this.#finish(ServerError.from(error))
      return
    }
    marks.inputEndNs = this.#clock.now()
    this.#turn()
  }

  terminate(): void {
    this.#stopped = true
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#done !== null) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #turn(): void {
    if (this.#stopped || this.#abandoned()) {
      this.#finish(new ServerError('CANCELLED', 'request cancelled while executing'))
      return
    }
    try {
      if (!this.#run.slice()) {
        this.#clock.nextTurn(this.#step)
        return
      }
    } catch (error) {
      this.#finish(ServerError.from(error))
      return
    }
    this.#finish(null)
  }

  #abandoned(): boolean {
    const requests = this.#batch?.requests ?? []
    for (let i = 0; i < requests.length; i++) if (requests[i]?.cancelled !== true) return false
    return true
  }

  #finish(error: ServerError | null): void {
    const done = this.#done
    const marks = this.#marks
    this.#done = null
    this.#marks = null
    this.#batch = null
    if (marks !== null) marks.outputStartNs = this.#clock.now()
    const result = this.#run.end()
    done?.(error ?? { outputs: [result] })
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
