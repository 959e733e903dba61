import type { Batch, BatchResult } from '../backend/types.ts'
import { datatypeOfConfig } from '../config/datatypes.ts'
import type { ModelConfig, SequenceState } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { InferRequest } from '../infer.ts'
import { byteSize, elementCount, sameShape, type Tensor } from '../tensor.ts'
import type { OutputPlan } from './output-plan.ts'
import { splitResult } from './split-result.ts'

/** Implicit state: outputs of one step that are inputs of the sequence's next. */
export interface SequenceStates {
  /** What a step with START gets, in config order. */
  readonly initial: readonly Tensor[]
  /** The states each row of a batch leaves behind, copied: the instance may use its buffers again. */
  ofRows(batch: Batch, result: BatchResult): readonly (readonly Tensor[])[]
  /** Whether two rows' states can be joined. */
  fit(a: readonly Tensor[], b: readonly Tensor[]): boolean
}

/** null for a model without implicit state. Throws INVALID_ARG for what cannot be had. */
export function createSequenceStates(
  config: ModelConfig,
  initialStates: ReadonlyMap<string, Tensor>,
): SequenceStates | null {
  const states = distinct(config.sequence_batching?.state ?? [])
  if (states.length === 0) return null
  const batches = (config.max_batch_size ?? 0) > 0
  const inputs = states.map((state) => state.input_name ?? '')
  const plan: OutputPlan = {
    names: states.map((state) => state.output_name ?? ''),
    batches,
    reshapes: null,
    scatters: null,
    trims: null,
    plain: true,
  }
  const row = new InferRequest({ inputs: [] }, { answer() {} })
  const varies = states.some((state) => state.dims?.includes(-1))
  return {
    initial: states.map(
      (state) => initialStates.get(state.input_name ?? '') ?? zeroState(state, batches),
    ),
    ofRows(batch, { outputs }) {
      // Cut as for requests that want the state outputs and nothing else.
      const requests = batch.requests.map(() => row)
      const rows = splitResult({ requests, size: batch.size }, { outputs }, plan)
      return rows.map((cut) =>
        cut.outputs.map(({ datatype, shape, data }, i) => ({
          name: inputs[i] as string,
          datatype,
          shape,
          // A copy: `slice` of Node’s buffers is none.
          data: new Uint8Array(data),
        })),
      )
    },
    fit(a, b) {
      if (!varies) return true
      return a.every((tensor, i) => sameShape(tensor.shape, b[i]?.shape ?? []))
    },
  }
}

/** A second state with the same input or output is ignored, as by Triton. */
function distinct(states: readonly SequenceState[]): SequenceState[] {
  const seen = new Set<string>()
  return states.filter((state) => {
    if (state.use_growable_memory === true) {
      throw new ServerError(
        'INVALID_ARG',
        `'use_growable_memory' can only work with KIND_GPU model instances right now. Please either change the instance type to KIND_GPU or set 'use_growable_memory' to false for state input '${state.input_name}'.`,
      )
    }
    const names = [`in ${state.input_name}`, `out ${state.output_name}`]
    if (names.some((name) => seen.has(name))) return false
    for (const name of names) seen.add(name)
    return true
  })
}

/** Free dimensions are 1 before the first step. */
function zeroState(state: SequenceState, batches: boolean): Tensor {
  const name = state.input_name ?? ''
  const datatype = datatypeOfConfig(state.data_type)
  if (datatype === undefined) {
    throw new ServerError('INVALID_ARG', `state '${name}' must specify 'data_type'`)
  }
  const dims = (state.dims ?? []).map((dim) => (dim === -1 ? 1 : dim))
  const shape = batches ? [1, ...dims] : dims
  const fixed = byteSize(datatype, shape)
  const data = new Uint8Array(fixed === -1 ? elementCount(shape) * 4 : fixed)
  return { name, datatype, shape, data }
}
