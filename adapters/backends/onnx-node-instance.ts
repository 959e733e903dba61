import type {
  Batch,
  BatchDone,
  ExecutionMarks,
  Instance,
  ModelIo,
} from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import { byteSize, type Tensor } from '../../core/tensor.ts'
import { batchInputs } from './onnx-batch-inputs.ts'
import { onnxError } from './onnx-error.ts'
import type { OnnxRunner, WireTensor } from './onnx-node-messages.ts'
import type { WantedOutput } from './onnx-plan.ts'
import { type Joining, joinInputs, joiningOf, wantedOutputs } from './onnx-shapes.ts'

export interface NodeInstanceOptions {
  readonly runner: OnnxRunner
  readonly io: ModelIo
  readonly config: ModelConfig
  readonly clock: Clock
}

/** Sends joined batches to a runner, such as a worker of its own. */
export class NodeInstance implements Instance {
  readonly #runner: OnnxRunner
  readonly #clock: Clock
  readonly #joining: Joining
  readonly #describeBatch: ((batch: Batch) => Batch) | undefined
  readonly #outputs: readonly WantedOutput[]
  #running: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(options: NodeInstanceOptions) {
    this.#runner = options.runner
    this.#clock = options.clock
    this.#describeBatch = batchInputs(options.config)
    this.#joining = joiningOf(options.config, options.io.inputs)
    this.#outputs = wantedOutputs(options.config, options.io.outputs)
  }

  execute(given: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closing !== null || this.#running !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    let inputs: WireTensor[]
    try {
      const batch = this.#describeBatch?.(given) ?? given
      inputs = joinInputs(batch, this.#joining).map((joined, index) => ({
        ...joined,
        buffer: copyRows(batch, index, byteSize(joined.datatype, joined.shape), joined.name),
      }))
    } catch (error) {
      done(onnxError(error))
      return
    }
    marks.inputEndNs = this.#clock.now()
    const names = this.#outputs.map((output) => output.name)
    this.#running = this.#runner
      .run(inputs, names)
      .then((outputs) => ({ outputs: outputs.map((output) => this.#tensor(output)) }), onnxError)
      .then((answer) => {
        marks.outputStartNs = this.#clock.now()
        this.#running = null
        done(answer)
      })
  }

  close(): Promise<void> {
    this.#closing ??= (this.#running ?? Promise.resolve()).then(() => this.#runner.close())
    return this.#closing
  }

  #tensor(wire: WireTensor): Tensor {
    const { name, datatype, buffer } = wire
    const scalar = wire.shape.length === 0
    const wanted = scalar ? this.#outputs.find((output) => output.name === name) : undefined
    const shape = wanted?.scalarShape ?? wire.shape
    return { name, datatype, shape, data: new Uint8Array(buffer) }
  }
}

/** Input `index` of every request in one buffer of its own, which the worker gets. `size` is -1 for strings. */
function copyRows(batch: Batch, index: number, size: number, name: string): ArrayBuffer {
  let total = 0
  for (const request of batch.requests) total += request.inputs[index]?.data.length ?? 0
  if (size >= 0 && total !== size) {
    throw new ServerError(
      'INVALID_ARG',
      `unexpected total byte size ${total} for input '${name}', expecting ${size}`,
    )
  }
  const joined = new Uint8Array(total)
  let at = 0
  for (const request of batch.requests) {
    const data = request.inputs[index]?.data
    if (data === undefined) continue
    joined.set(data, at)
    at += data.length
  }
  return joined.buffer
}
