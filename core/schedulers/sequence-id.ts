import { datatypeOfConfig } from '../config/datatypes.ts'
import { controlTensors } from '../config/sequence-controls.ts'
import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { DATATYPE_SIZES, type Datatype } from '../tensor.ts'

/** An id as its client gave it (`42` and `"42"` are two), or a number that the server gave. */
export type SequenceKey = bigint | string | number

/** What a request must be to join a sequence at all. All errors are INVALID_ARG with Triton's texts. */
export interface SequenceIdCheck {
  /** The reason why `request` may not enter; null when it may. */
  problem(request: InferRequest): ServerError | null
  /** For a request without START whose sequence nobody knows. */
  unknown(request: InferRequest): ServerError
}

export function createSequenceIdCheck(config: ModelConfig, modelName: string): SequenceIdCheck {
  const bad = (text: string): ServerError => new ServerError('INVALID_ARG', text)
  const [id] = controlTensors(config, 'CONTROL_SEQUENCE_CORRID')
  const wanted = id === undefined ? undefined : datatypeOfConfig(id.control.data_type)
  const optional = config.sequence_batching?.iterative_sequence === true
  return {
    problem(request) {
      const { sequenceId } = request
      if (request.batchSize > 1) {
        return bad(
          `inference request to model '${modelName}' must specify batch-size 1 due to requirements of sequence batcher`,
        )
      }
      if (!hasSequenceId(request)) {
        if (optional) return null
        return bad(
          `inference request to model '${modelName}' must specify a non-zero or non-empty correlation ID`,
        )
      }
      // Triton 2.51 copies a packed string over the number and what lies behind it; later ones refuse it in these words.
      const isString = typeof sequenceId === 'string'
      if (wanted !== undefined && isString !== (wanted === 'BYTES') && !lies(sequenceId, wanted)) {
        return bad(
          `${request.logPrefix}sequence batching control '${id?.name}' data-type is '${isString ? 'BYTES' : 'UINT64'}', but model '${modelName}' expects '${wanted}'`,
        )
      }
      return null
    },
    unknown: ({ sequenceId }) =>
      bad(
        `inference request for sequence ${sequenceId} to model '${modelName}' must specify the START flag on the first request of the sequence`,
      ),
  }
}

/** Whether a string, packed, has room where a number is expected. */
function lies(id: bigint | string, wanted: Datatype): boolean {
  const room = DATATYPE_SIZES[wanted] - 4
  if (typeof id !== 'string' || id.length > room) return false
  return new TextEncoder().encode(id).length <= room
}

/** What a sequence is found by: ids of different owners are different, whatever they are. */
export function sequenceKey({ sequenceId, owner }: InferRequest): SequenceKey {
  // No id and no owner has a NUL, so that no key of an owner is another's id.
  return owner === '' ? sequenceId : `\0${owner}\0${typeof sequenceId}\0${sequenceId}`
}

/** Zero and the empty string stand for none. */
export function hasSequenceId({ sequenceId }: InferRequest): boolean {
  return sequenceId !== 0n && sequenceId !== ''
}
