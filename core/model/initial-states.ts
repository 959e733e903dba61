import type { ModelSource } from '../backend/types.ts'
import type { ModelConfig, SequenceInitialState, SequenceState } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { safeJoin } from '../paths.ts'
import { byteSize, elementCount, type Tensor } from '../tensor.ts'
import { datatypeOf } from './metadata.ts'

/** Holds the files that `data_file` of an initial state names, in the model's folder. */
export const INITIAL_STATE_FOLDER = 'initial_state'

/** Bytes one initial state may have. */
export const MAX_INITIAL_STATE_BYTES: number = 256 * 1024 * 1024

/**
 * What the first step of a sequence gets for each state input that has an `initial_state`, with the batch dimension where
 * the model has one. Throws INVALID_ARG with Triton's reasons.
 */
export async function readInitialStates(options: {
  readonly config: ModelConfig
  readonly source: ModelSource
  readonly signal?: AbortSignal | undefined
}): Promise<ReadonlyMap<string, Tensor>> {
  const states = new Map<string, Tensor>()
  for (const state of options.config.sequence_batching?.state ?? []) {
    const name = state.input_name ?? ''
    const given = state.initial_state ?? []
    if (given.length > 1) {
      throw invalid(
        `initial_state field for state input '${name}' must contain exactly one or zero element. Found '${given.length}' elements.`,
      )
    }
    const [initial] = given
    if (initial === undefined) continue
    if (states.has(name)) throw invalid(`State input name '${name}' specified more than once.`)
    checkInitialState(name, initial, state)
    const dims = initial.dims ?? []
    const datatype = datatypeOf(initial.data_type, name)
    const shape = (options.config.max_batch_size ?? 0) > 0 ? [1, ...dims] : [...dims]
    states.set(name, { name, datatype, shape, data: await initialData(name, initial, options) })
  }
  return states
}

function checkInitialState(
  name: string,
  initial: SequenceInitialState,
  state: SequenceState,
): void {
  if (initial.data_type !== state.data_type) {
    throw invalid(
      `The data type used for 'initial_state' field of state '${name}' does not match the state data type.`,
    )
  }
  if (!initial.name) {
    throw invalid(`Field 'name' must be set when using initial_state for state input '${name}'.`)
  }
  const dims = initial.dims ?? []
  const stateDims = state.dims ?? []
  if (dims.length !== stateDims.length) {
    throw invalid(
      `Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions for state input '${name}'. ${dims.length} != ${stateDims.length}`,
    )
  }
  for (const [i, dim] of dims.entries()) {
    if (dim === -1) {
      throw invalid(
        `'initial_state' field for state input name '${name}' contains variable dimensions.`,
      )
    }
    const wanted = stateDims[i]
    if (wanted !== -1 && wanted !== dim) {
      throw invalid(
        `'initial_state' dim for input name '${name}' doesn't match 'state' dim description. ${dim} != ${wanted}`,
      )
    }
  }
}

async function initialData(
  name: string,
  initial: SequenceInitialState,
  options: { readonly source: ModelSource; readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array> {
  const dims = initial.dims ?? []
  const fixed = byteSize(datatypeOf(initial.data_type, name), dims)
  // A string that is not given is empty: four bytes of length.
  const bytes = fixed === -1 ? elementCount(dims) * 4 : fixed
  if (bytes > MAX_INITIAL_STATE_BYTES) {
    throw invalid(
      `initial_state of '${name}' has ${bytes} bytes, the limit is ${MAX_INITIAL_STATE_BYTES}`,
    )
  }
  if (initial.zero_data !== undefined) return new Uint8Array(bytes)
  const file = initial.data_file
  if (file === undefined) {
    throw invalid(`initial_state setting expects state'${name}' to have state_data set`)
  }
  const { store, modelPath } = options.source
  const content = await store.read(safeJoin(modelPath, INITIAL_STATE_FOLDER, file), options.signal)
  if (fixed === -1) return content
  if (content.length < bytes) {
    throw invalid(
      `initial_state setting expects ${bytes} bytes, but the data provided from ${file}only has ${content.length} bytes.`,
    )
  }
  return content.slice(0, bytes)
}

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
