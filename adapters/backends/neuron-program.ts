import type { IoSpec, ModelIo } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { sameShape, shapeText } from '../../core/tensor.ts'
import type { LoadedNeff } from '../../native/neuron/runtime.ts'
import { type NeuronTensor, neuronTensors } from './neuron-types.ts'

/** One NEFF on one core: the model compiled for one shape. */
export interface NeuronProgram {
  readonly neff: LoadedNeff
  readonly inputs: readonly NeuronTensor[]
  readonly outputs: readonly NeuronTensor[]
}

/** Throws for tensors that cannot be served. */
export function programOf(neff: LoadedNeff, model: string): NeuronProgram {
  const tensors = neuronTensors(neff.tensors, model)
  const of = (usage: 'input' | 'output'): NeuronTensor[] =>
    tensors.filter((_, i) => neff.tensors[i]?.usage === usage)
  return { neff, inputs: of('input'), outputs: of('output') }
}

/** The largest batch a program takes where axis 0 is the batch; 0 where it is not. */
export function batchOf(program: NeuronProgram): number {
  const rows = program.inputs[0]?.shape[0] ?? 0
  const all = [...program.inputs, ...program.outputs]
  return all.every((tensor) => tensor.shape[0] === rows) ? rows : 0
}

/** Programs in the order in which a batch looks for the first that it fits into. */
export function bySize(programs: readonly NeuronProgram[]): NeuronProgram[] {
  return [...programs].sort((a, b) => batchOf(a) - batchOf(b))
}

/** What all programs say together: a dimension in which they differ is free, and so is the batch's. */
export function ioOf(
  programs: readonly NeuronProgram[],
  maxBatchSize: number,
  model: string,
): ModelIo {
  const merge = (kind: 'inputs' | 'outputs'): IoSpec[] => {
    const first = programs[0]?.[kind] ?? []
    return first.map(({ name, datatype, shape }) => {
      const free = [...shape]
      if (maxBatchSize > 0) free[0] = -1
      for (const program of programs) {
        const other = program[kind].find((tensor) => tensor.name === name)
        const alike =
          other?.datatype === datatype &&
          other.shape.length === shape.length &&
          program[kind].length === first.length
        if (!alike) {
          throw new ServerError(
            'INVALID_ARG',
            `the NEFF files of model '${model}' are not of one model: '${name}' differs in more than its shape`,
          )
        }
        for (const [axis, dim] of other.shape.entries()) if (dim !== shape[axis]) free[axis] = -1
      }
      return { name, datatype, shape: free }
    })
  }
  return { inputs: merge('inputs'), outputs: merge('outputs') }
}

/** Throws INVALID_ARG where `maxBatchSize` rows are more than the model was compiled for. */
export function checkBatch(
  programs: readonly NeuronProgram[],
  maxBatchSize: number,
  model: string,
): void {
  if (maxBatchSize === 0) return
  const largest = Math.max(...programs.map(batchOf))
  if (largest >= maxBatchSize) return
  throw new ServerError(
    'INVALID_ARG',
    `model '${model}' has max_batch_size ${maxBatchSize}, but was compiled for batches of ${largest}`,
  )
}

/** `[8,16] or [1,16]`: what an input may be, for messages. */
export function shapesText(programs: readonly NeuronProgram[], input: number): string {
  const shapes: (readonly number[])[] = []
  for (const program of programs) {
    const shape = program.inputs[input]?.shape ?? []
    if (!shapes.some((one) => sameShape(one, shape))) shapes.push(shape)
  }
  return shapes.map(shapeText).join(' or ')
}
