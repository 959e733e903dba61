import { ServerError } from '../../core/errors.ts'
import type { InferResponse } from '../../core/infer.ts'
import type { Tensor } from '../../core/tensor.ts'

/** Outputs of requests that were answered one by one, as if they had been answered together. */
export function joined(answers: readonly (InferResponse | ServerError)[]): Tensor[] {
  const all = answers.map((answer) => {
    if (answer instanceof ServerError) throw answer
    return answer.outputs
  })
  return (all[0] ?? []).map((first, i) => {
    const parts = all.map((outputs) => outputs[i] as Tensor)
    const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0)
    const data = new Uint8Array(Buffer.concat(parts.map((part) => part.data)))
    return { ...first, shape: [rows, ...first.shape.slice(1)], data }
  })
}
