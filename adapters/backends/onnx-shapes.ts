import type { Batch, IoSpec } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { InferRequest } from '../../core/infer.ts'
import { elementCount, type Tensor } from '../../core/tensor.ts'
import type { JoinedInput, WantedOutput } from './onnx-plan.ts'

/** How one model's requests become batches: what of a config and a model file the joining of shapes needs. */
export interface Joining {
  readonly batching: boolean
  readonly inputs: ReadonlyMap<string, IoSpec>
  /** Inputs whose requests are laid end to end: `allow_ragged_batch`. */
  readonly ragged: ReadonlySet<string>
}

export function joiningOf(config: ModelConfig, inputs: readonly IoSpec[]): Joining {
  // Batches that are described by inputs of their own arrive as one request, joined already.
  const joined = (config.batch_input ?? []).length > 0
  const ragged = (config.input ?? []).filter((input) => input.allow_ragged_batch === true)
  return {
    batching: !joined && (config.max_batch_size ?? 0) > 0,
    inputs: new Map(inputs.map((input) => [input.name, input])),
    ragged: new Set(joined ? [] : ragged.map((input) => input.name ?? '')),
  }
}

/**
 * The outputs that runs produce, by name: those of the config and of its sequence states, or all of the model's. In this
 * order responses need no sorting.
 */
export function wantedOutputs(config: ModelConfig, outputs: readonly IoSpec[]): WantedOutput[] {
  const dims = new Map(
    (config.output ?? []).map((output) => [output.name ?? '', output.dims ?? []]),
  )
  for (const state of config.sequence_batching?.state ?? []) {
    const name = state.output_name ?? ''
    if (!dims.has(name)) dims.set(name, state.dims ?? [])
  }
  return outputs
    .filter((output) => dims.size === 0 || dims.has(output.name))
    .map(({ name, datatype }) => ({ name, datatype, scalarShape: dims.get(name) ?? [] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether `plan` serves a batch whose first request is `first` and which has `size` rows. The hot path's only check. */
export function planFits(
  plan: { readonly inputs: readonly JoinedInput[] },
  first: InferRequest,
  size: number,
  joining: Joining,
): boolean {
  if (joining.ragged.size > 0) return false
  const { inputs } = first
  if (inputs.length !== plan.inputs.length) return false
  for (let i = 0; i < inputs.length; i++) {
    const tensor = inputs[i] as Tensor
    const planned = plan.inputs[i] as JoinedInput
    const { shape } = planned
    if (tensor.name !== planned.name || tensor.datatype !== planned.datatype) return false
    if (tensor.shape.length !== shape.length) return false
    let at = 0
    if (joining.batching) {
      if (shape[0] !== size) return false
      at = 1
    }
    for (; at < shape.length; at++) if (tensor.shape[at] !== shape[at]) return false
  }
  return true
}

/** The joined inputs of a batch, whole shapes. Throws INVALID_ARG for what the model has no input for. */
export function joinInputs(batch: Batch, joining: Joining): JoinedInput[] {
  const first = batch.requests[0]
  if (first === undefined) throw new ServerError('INTERNAL', 'a batch without requests')
  return first.inputs.map((tensor, index) => {
    const { name, datatype } = tensor
    const spec = joining.inputs.get(name)
    if (spec === undefined) {
      throw new ServerError('INVALID_ARG', `unexpected inference input '${name}'`)
    }
    if (spec.datatype !== datatype) {
      throw new ServerError(
        'INVALID_ARG',
        `input '${name}' has datatype ${datatype}, the model expects ${spec.datatype}`,
      )
    }
    return { name, datatype, shape: joinedShape(batch, index, tensor, spec, joining) }
  })
}

function joinedShape(
  batch: Batch,
  index: number,
  tensor: Tensor,
  spec: IoSpec,
  joining: Joining,
): readonly number[] {
  if (joining.ragged.has(tensor.name)) {
    let elements = 0
    for (const request of batch.requests) {
      elements += elementCount(request.inputs[index]?.shape ?? [0])
    }
    return [elements]
  }
  // A config cannot say "scalar": such an input has dims [1] there.
  if (spec.shape.length === 0 && elementCount(tensor.shape) === 1) return []
  return joining.batching ? [batch.size, ...tensor.shape.slice(1)] : tensor.shape
}

/** Identifies a plan among those of one instance. */
export function planKey(inputs: readonly JoinedInput[]): string {
  let key = ''
  for (const { name, shape } of inputs) key += `${name}\0${shape.join(',')}\0`
  return key
}
