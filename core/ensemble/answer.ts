import type { ModelConfig } from '../config/types.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import { createOutputPlan, type OutputPlan } from '../schedulers/output-plan.ts'
import { sameShape, type Tensor } from '../tensor.ts'
import { acrossBatching } from './dims.ts'
import type { GraphOutput } from './graph.ts'
import type { Lease } from './lease.ts'
import { markParameters, type SequenceMark } from './sequence-mark.ts'
import { take, type Wave } from './wave.ts'

/** Makes the ensemble's responses of what its steps gave. */
export type AnswerMaker = (
  request: InferRequest,
  outputs: readonly GraphOutput[],
  wave: Wave,
) => InferResponse

export function createAnswerMaker(config: ModelConfig): AnswerMaker {
  const plan = createOutputPlan(config)
  return (request, outputs, wave) => {
    const tensors: Tensor[] = []
    let leases: Lease[] | null = null
    let mark: SequenceMark | null = null
    for (const output of outputs) {
      const { tensor, rows, lease, mark: own } = take(wave, output.slot)
      if (lease !== null) {
        leases ??= []
        leases.push(lease)
      }
      // Triton leaves out what no step gave.
      if (tensor === null) continue
      const size = plan.batches ? request.batchSize : 0
      const across = acrossBatching(tensor.shape, output.dims, size !== 0, rows)
      tensors.push(named(tensor, output.name, clientShape(across, output.name, plan)))
      mark = own ?? mark
    }
    return {
      outputs: tensors,
      ...(mark === null ? {} : { parameters: markParameters(mark) }),
      ...(leases === null ? {} : { release: releaseOf(leases) }),
    }
  }
}

function clientShape(shape: readonly number[], name: string, plan: OutputPlan): readonly number[] {
  const reshape = plan.reshapes?.get(name)
  if (reshape === undefined) return shape
  return plan.batches ? [shape[0] as number, ...reshape(shape.slice(1))] : reshape(shape)
}

function named(tensor: Tensor, name: string, shape: readonly number[]): Tensor {
  if (tensor.name === name && sameShape(tensor.shape, shape)) return tensor
  return { name, datatype: tensor.datatype, shape, data: tensor.data }
}

function releaseOf(leases: readonly Lease[]): () => void {
  return () => {
    for (const lease of leases) lease.drop()
  }
}
