import type { InferRequest } from '../../core/infer.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import { batchOf, type NeuronProgram } from './neuron-program.ts'
import { NeuronInput, NeuronOutput } from './neuron-tensors.ts'
import type { NeuronTensor } from './neuron-types.ts'

export interface BindingOptions {
  readonly runtime: NeuronRuntime
  readonly program: NeuronProgram
  /** Axis 0 is the batch's. */
  readonly batching: boolean
  /** Names of the outputs that are served; empty = all. */
  readonly outputs: ReadonlySet<string>
}

/** What one instance needs on the device to run one program. */
export interface NeuronBinding {
  readonly program: NeuronProgram
  readonly rows: number
  readonly batching: boolean
  readonly inputs: readonly NeuronInput[]
  readonly outputs: readonly NeuronOutput[]
  readonly inputSet: number
  readonly outputSet: number
  /** No run may be in flight. */
  close(): Promise<void>
}

/** Allocates tensors and sets; frees what it has when the device has no more. */
export async function openBinding(options: BindingOptions): Promise<NeuronBinding> {
  const { runtime, program, batching } = options
  const rows = batching ? batchOf(program) : 1
  const tensors: number[] = []
  const sets: number[] = []
  // Sets refer to tensors: they go first.
  const close = async (): Promise<void> => {
    for (const set of sets.splice(0)) await runtime.freeTensorSet(set)
    for (const tensor of tensors.splice(0)) await runtime.freeTensor(tensor)
  }
  const allocate = async (specs: readonly NeuronTensor[]): Promise<number[]> => {
    const devices: number[] = []
    for (const { name, deviceBytes } of specs) {
      const device = await runtime.tensor(program.neff.core, deviceBytes, name)
      tensors.push(device)
      devices.push(device)
    }
    sets.push(await runtime.tensorSet(new Map(specs.map(({ name }, i) => [name, devices[i] ?? 0]))))
    return devices
  }
  try {
    const inputs = await allocate(program.inputs)
    const outputs = await allocate(program.outputs)
    const [inputSet = 0, outputSet = 0] = sets
    return {
      program,
      rows,
      batching,
      inputs: program.inputs.map((spec, i) => new NeuronInput(runtime, spec, inputs[i] ?? 0, rows)),
      outputs: program.outputs
        .map((spec, i) => {
          const wanted = options.outputs.size === 0 || options.outputs.has(spec.name)
          return new NeuronOutput(runtime, spec, outputs[i] ?? 0, { rows, batching, wanted })
        })
        // In this order responses need no sorting.
        .sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1)),
      inputSet,
      outputSet,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Whether `size` rows of a batch that begins with `request` fit, and where its inputs lie. The hot path's only check. */
export function bindingFits(binding: NeuronBinding, request: InferRequest, size: number): boolean {
  const { inputs, batching } = binding
  if (batching && size > binding.rows) return false
  if (request.inputs.length !== inputs.length) return false
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i] as NeuronInput
    const { name, datatype, shape } = input.spec
    let tensor = request.inputs[input.index]
    if (tensor?.name !== name) {
      input.index = request.inputs.findIndex((one) => one.name === name)
      tensor = request.inputs[input.index]
      if (tensor === undefined) {
        input.index = 0
        return false
      }
    }
    if (tensor.datatype !== datatype || tensor.shape.length !== shape.length) return false
    for (let axis = batching ? 1 : 0; axis < shape.length; axis++) {
      if (tensor.shape[axis] !== shape[axis]) return false
    }
  }
  return true
}
