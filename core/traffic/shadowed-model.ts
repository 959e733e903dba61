import { ServerError } from '../errors.ts'
import { InferRequest, type InferResponse } from '../infer.ts'
import type { ServedModel } from '../server-types.ts'
import { DelegatedModel } from './delegated-model.ts'

/** Hears of an answer before the client does: its memory, and that of the request's inputs, is still as it was. */
export type Witness = (request: InferRequest, answer: InferResponse) => void

/** A version whose answers somebody looks at in passing. */
export class ShadowedModel extends DelegatedModel {
  readonly #witness: Witness

  constructor(model: ServedModel, witness: Witness) {
    super(model)
    this.#witness = witness
  }

  override submit(request: InferRequest): void {
    let answers = 0
    const inner: InferRequest = new InferRequest(request, {
      answer: (_inner, answer, final) => {
        if (answer !== null) answers++
        if (final && answer !== null && !(answer instanceof ServerError) && answers === 1) {
          this.#witness(inner, answer)
        }
        request.respond(answer, final)
      },
      congested: () => request.congested,
    })
    inner.batchSize = request.batchSize
    inner.startNs = request.startNs
    inner.composing = request.composing
    // The inner one tells it of the answer.
    request.trace = null
    request.onCancel = () => inner.cancel()
    if (request.cancelled) inner.cancel()
    this.model.submit(inner)
  }
}
