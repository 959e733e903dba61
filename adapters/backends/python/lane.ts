import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Execution } from './execution.ts'

/** What an instance does for its lanes. */
export interface LaneOwner {
  readonly closing: boolean
  /** Whether batches may be given ahead. */
  readonly brisk: boolean
  begin(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null,
  ): Execution
  /** Takes it up; may end it at once. */
  run(execution: Execution): void
  /** Its batch ended; called before it is answered. */
  ended(execution: Execution, result: BatchResult | ServerError): void
  /** Its batch was answered. */
  left(): void
  cancel(execution: Execution): void
}

/** Room for one batch at a time. Batches of an instance's lanes run in the order in which they came. */
export class Lane implements Instance {
  readonly #owner: LaneOwner
  #execution: Execution | null = null

  constructor(owner: LaneOwner) {
    this.#owner = owner
  }

  get ready(): boolean {
    return this.#owner.brisk
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    const owner = this.#owner
    if (owner.closing || this.#execution !== null) {
      const state = owner.closing ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    const execution = owner.begin(
      batch,
      marks,
      (result) => {
        this.#execution = null
        owner.ended(execution, result)
        done(result)
        owner.left()
      },
      answers,
    )
    this.#execution = execution
    owner.run(execution)
  }

  terminate(): void {
    if (this.#execution !== null) this.#owner.cancel(this.#execution)
  }

  /** The instance closes. */
  close(): Promise<void> {
    return Promise.resolve()
  }
}
