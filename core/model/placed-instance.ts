import type {
  Batch,
  BatchDone,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
  Placement,
} from '../backend/types.ts'
import type { InferRequest } from '../infer.ts'

/** `instance`; on a GPU one that marks what it runs with the device, for figures by device. */
export function placedInstance(instance: Instance, { kind, device }: Placement): Instance {
  return kind === 'KIND_GPU' ? new PlacedInstance(instance, device) : instance
}

class PlacedInstance implements Instance {
  readonly #instance: Instance
  readonly #device: number
  readonly cancelled?: (request: InferRequest) => void

  constructor(instance: Instance, device: number) {
    this.#instance = instance
    this.#device = device
    // Absent where the instance has none: then its runner ends it another way.
    if (instance.cancelled !== undefined) {
      this.cancelled = (request) => instance.cancelled?.(request)
    }
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    marks.device = this.#device
    this.#instance.execute(batch, marks, done, answers)
  }

  terminate(): void {
    this.#instance.terminate?.()
  }

  get ready(): boolean {
    return this.#instance.ready !== false
  }

  close(): Promise<void> {
    return this.#instance.close()
  }
}
