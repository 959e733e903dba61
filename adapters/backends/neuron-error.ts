import { type ErrorCode, ServerError } from '../../core/errors.ts'
import {
  NeuronError,
  NRT_EXEC_BAD_INPUT,
  NRT_EXEC_NC_BUSY,
  NRT_FAIL_HOST_MEM_ALLOC,
  NRT_INVALID,
  NRT_LOAD_NOT_ENOUGH_NC,
  NRT_QUEUE_FULL,
  NRT_RESOURCE,
  NRT_TIMEOUT,
} from '../../native/neuron/status.ts'

const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [NRT_INVALID, 'INVALID_ARG'],
  [NRT_EXEC_BAD_INPUT, 'INVALID_ARG'],
  [NRT_RESOURCE, 'UNAVAILABLE'],
  [NRT_TIMEOUT, 'UNAVAILABLE'],
  [NRT_QUEUE_FULL, 'UNAVAILABLE'],
  [NRT_LOAD_NOT_ENOUGH_NC, 'UNAVAILABLE'],
  [NRT_FAIL_HOST_MEM_ALLOC, 'UNAVAILABLE'],
  [NRT_EXEC_NC_BUSY, 'UNAVAILABLE'],
])

/** Anything the Neuron runtime failed with; a ServerError stays what it is. */
export function neuronError(error: unknown): ServerError {
  if (!(error instanceof NeuronError)) return ServerError.from(error)
  const code = CODES.get(error.status) ?? 'INTERNAL'
  return new ServerError(code, `neuron runtime: ${error.message}`, { cause: error })
}
