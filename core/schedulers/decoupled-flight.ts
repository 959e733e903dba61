import type { Batch, DecoupledAnswers, ExecutionMarks } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'

/** One request of a batch and how far its answers are. */
export interface Strand {
  readonly request: InferRequest
  /** Where its answers stand among those of other requests; only with `preserve_ordering`. */
  readonly place: number
  /** Answers so far. */
  index: number
  /** End of the answer before, or start of the execution. */
  lastNs: number
  /** What handing its answers on took so far. */
  outputNs: number
  /** One of its answers was an error. */
  failed: boolean
  /** It had its final answer, or gets it in another batch. */
  ended: boolean
}

/** Who passes answers on. */
export interface FlightOwner {
  answer(
    flight: Flight,
    strand: Strand,
    answer: InferResponse | ServerError | null,
    final: boolean,
  ): void
}

/** One execution of a decoupled model: its instance keeps it until every request had its final answer. */
export interface Flight extends Batch, DecoupledAnswers {
  readonly strands: readonly Strand[]
  readonly marks: Required<ExecutionMarks>
}

export function newFlight(options: {
  readonly owner: FlightOwner
  readonly requests: readonly InferRequest[]
  readonly size: number
  readonly nowNs: number
  /** Place of the first request. */
  readonly first: number
}): Flight {
  const { owner, requests, size, nowNs } = options
  const strands = requests.map(
    (request, i): Strand => ({
      request,
      place: options.first + i,
      index: 0,
      lastNs: nowNs,
      outputNs: 0,
      failed: false,
      ended: request.settled,
    }),
  )
  const flight: Flight = {
    requests,
    size,
    strands,
    marks: { startNs: nowNs, device: -1, inputEndNs: 0, outputStartNs: 0 },
    send(index, answer, final) {
      const strand = strands[index]
      if (strand === undefined || strand.ended) {
        if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
      } else if (answer !== null || final) owner.answer(flight, strand, answer, final)
    },
  }
  return flight
}
