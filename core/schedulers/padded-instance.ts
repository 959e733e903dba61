import type {
  Batch,
  BatchDone,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from '../backend/types.ts'
import type { PaddedInput, Padding } from '../config/padding.ts'
import type { InferRequest } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import { resizeAxis } from './resize-axis.ts'

/**
 * Bytes that one input of a padded batch may take. What is larger is not padded: such requests share a batch with their equals
 * only, so that one long request does not make many short ones large.
 */
export const MAX_PADDED_BYTES: number = 64 * 1024 * 1024

/** An instance whose batches have inputs of one length each. Requests have their own inputs back when a batch is over. */
export class PaddedInstance implements Instance {
  readonly #instance: Instance
  readonly #padding: Padding

  constructor(instance: Instance, padding: Padding) {
    this.#instance = instance
    this.#padding = padding
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    const { requests } = batch
    const own = this.#pad(batch)
    if (own === null) {
      this.#instance.execute(batch, marks, done, answers)
      return
    }
    try {
      this.#instance.execute(
        batch,
        marks,
        (result) => {
          restore(requests, own)
          done(result)
        },
        answers,
      )
    } catch (error) {
      restore(requests, own)
      throw error
    }
  }

  terminate(): void {
    this.#instance.terminate?.()
  }

  close(): Promise<void> {
    return this.#instance.close()
  }

  /** Pads where anything has to be; returns what the requests' inputs were, null = nothing was changed. */
  #pad(batch: Batch): readonly (readonly Tensor[])[] | null {
    const { requests } = batch
    let own: (readonly Tensor[])[] | null = null
    for (const [name, padded] of this.#padding.inputs) {
      const at = requests[0]?.inputs.findIndex((input) => input.name === name) ?? -1
      if (at < 0) continue
      const length = this.#lengthFor(batch, at, padded)
      for (const request of requests) {
        const input = request.inputs[at] as Tensor
        if (input.shape[padded.axis] === length) continue
        own ??= requests.map(({ inputs }) => inputs)
        const inputs = request.inputs.slice()
        inputs[at] = resizeAxis(input, padded.axis, length, padded.element)
        request.inputs = inputs
      }
    }
    return own
  }

  /** How long input `at` becomes for a whole batch. */
  #lengthFor(batch: Batch, at: number, { axis, element }: PaddedInput): number {
    let longest = 0
    let bytes = batch.size * element.length
    for (const { inputs } of batch.requests)
      longest = Math.max(longest, inputs[at]?.shape[axis] ?? 0)
    const shape = batch.requests[0]?.inputs[at]?.shape ?? []
    for (let i = 1; i < shape.length; i++) if (i !== axis) bytes *= shape[i] ?? 1
    const bucket = this.#padding.buckets.find((size) => size >= longest) ?? longest
    return bucket * bytes <= MAX_PADDED_BYTES ? bucket : longest
  }
}

function restore(requests: readonly InferRequest[], own: readonly (readonly Tensor[])[]): void {
  for (let i = 0; i < requests.length; i++) {
    const request = requests[i]
    const inputs = own[i]
    if (request !== undefined && inputs !== undefined) request.inputs = inputs
  }
}
