import type { ModelConfig } from '../config/types.ts'
import { InferRequest } from '../infer.ts'
import { elementCount, sameShape, type Tensor } from '../tensor.ts'
import type { SequenceControls } from './sequence-control.ts'

/** Fills the slots that have nothing to run while a slot above them has. */
export interface NullRequests {
  /** A request with the shapes of the step `like`, not READY; nobody gets its answer and nothing counts it. */
  like(like: InferRequest): InferRequest
}

/** One request is made and serves every empty row, until shapes change. */
export function createNullRequests(config: ModelConfig, controls: SequenceControls): NullRequests {
  const { notReady } = controls
  const stateCount = config.sequence_batching?.state?.length ?? 0
  const shapeTensors = new Set(
    (config.input ?? []).filter((input) => input.is_shape_tensor).map((input) => input.name ?? ''),
  )
  let last: InferRequest | null = null

  const fits = (inputs: readonly Tensor[], like: readonly Tensor[]): boolean =>
    shapeTensors.size === 0 &&
    inputs.length === like.length &&
    inputs.every((tensor, i) => {
      const other = like[i] as Tensor
      return tensor.name === other.name && sameShape(tensor.shape, other.shape)
    })
  const zeroes = (tensor: Tensor): Tensor => {
    if (shapeTensors.has(tensor.name)) return tensor
    const { datatype, shape } = tensor
    const size = datatype === 'BYTES' ? elementCount(shape) * 4 : tensor.data.length
    return { ...tensor, data: new Uint8Array(size) }
  }
  return {
    like({ inputs }) {
      if (last !== null && fits(last.inputs, inputs)) return last
      const at = inputs.length - stateCount - notReady.length
      last = new InferRequest(
        {
          inputs: [
            ...inputs.slice(0, at).map(zeroes),
            ...notReady,
            ...inputs.slice(at + notReady.length).map(zeroes),
          ],
          outputs: [],
        },
        { answer() {} },
      )
      last.settled = true
      return last
    },
  }
}
