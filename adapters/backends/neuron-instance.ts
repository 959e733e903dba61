import type {
  Batch,
  BatchDone,
  BatchResult,
  ExecutionMarks,
  Instance,
} from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { InferRequest } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import { shapeText } from '../../core/tensor.ts'
import type { NeuronRuntime } from '../../native/neuron/runtime.ts'
import { isHardwareFailure, NeuronError } from '../../native/neuron/status.ts'
import { bindingFits, type NeuronBinding } from './neuron-binding.ts'
import type { CoreFigures } from './neuron-cores.ts'
import { neuronError } from './neuron-error.ts'
import { shapesText } from './neuron-program.ts'

/** How long an instance on a core that failed for good keeps a batch before it refuses it: else it would be the fastest. */
const REFUSAL_NS = 1e9

export interface NeuronInstanceOptions {
  readonly runtime: NeuronRuntime
  readonly clock: Clock
  readonly name: string
  readonly figures: CoreFigures
  /** One per program, smallest batch first. */
  readonly bindings: readonly NeuronBinding[]
  /** The core failed in a way it does not recover from; called once. */
  readonly onBroken: (reason: string) => void
}

/** One execution of one batch: everything a native call in flight uses hangs on this record until its callback. */
interface Running {
  readonly batch: Batch
  readonly marks: ExecutionMarks
  readonly done: BatchDone
  readonly binding: NeuronBinding
  step: 'write' | 'execute' | 'read'
  /** Calls in flight, and one for the loop that starts them. */
  pending: number
  failure: unknown
}

/**
 * Runs batches on a NeuronCore, one at a time: all inputs are moved to the device at once, then the program runs, then all
 * outputs are moved back. Every step is on libuv's pool; a run that has begun cannot be stopped, between steps it can.
 */
export class NeuronInstance implements Instance {
  readonly #runtime: NeuronRuntime
  readonly #clock: Clock
  readonly #name: string
  readonly #figures: CoreFigures
  readonly #bindings: readonly NeuronBinding[]
  readonly #onBroken: (reason: string) => void
  #recent: NeuronBinding | undefined
  #running: Running | null = null
  #stopped = false
  #broken = false
  /** Refuses the batch that came after the core had failed. */
  #refuse: (() => void) | null = null
  #startedNs = 0
  #idle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(options: NeuronInstanceOptions) {
    this.#runtime = options.runtime
    this.#clock = options.clock
    this.#name = options.name
    this.#figures = options.figures
    this.#bindings = options.bindings
    this.#onBroken = options.onBroken
  }

  get ready(): boolean {
    return !this.#broken
  }

  execute(batch: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closing !== null || this.#running !== null || this.#refuse !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    if (this.#broken) {
      this.#keep(done)
      return
    }
    let binding: NeuronBinding
    try {
      binding = this.#bindingFor(batch)
      for (const input of binding.inputs) input.gather(batch, rowsOf(binding, batch))
    } catch (error) {
      done(ServerError.from(error))
      return
    }
    this.#stopped = false
    this.#running = { batch, marks, done, binding, step: 'write', pending: 0, failure: null }
    if (batch.size === 0) this.#empty(this.#running)
    else this.#write(this.#running)
  }

  terminate(): void {
    this.#stopped = true
    this.#refuse?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#refuse?.()
    if (this.#running !== null) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    for (const binding of this.#bindings) await binding.close()
  }

  #keep(done: BatchDone): void {
    const refuse = (): void => {
      if (this.#refuse !== refuse) return
      this.#refuse = null
      stop()
      done(new ServerError('UNAVAILABLE', `the NeuronCore of instance '${this.#name}' has failed`))
    }
    this.#refuse = refuse
    const stop = this.#clock.after(REFUSAL_NS, refuse)
  }

  #bindingFor(batch: Batch): NeuronBinding {
    const first = batch.requests[0]
    if (first === undefined) throw new ServerError('INTERNAL', 'a batch without requests')
    const recent = this.#recent
    // A batch that fits into a smaller program is cheaper there.
    if (
      recent !== undefined &&
      recent.rows === batch.size &&
      bindingFits(recent, first, batch.size)
    ) {
      return recent
    }
    const found = this.#bindings.find((one) => bindingFits(one, first, batch.size))
    if (found === undefined) throw this.#unfit(first, batch.size)
    this.#recent = found
    return found
  }

  /** Why nothing fits. */
  #unfit(request: InferRequest, size: number): ServerError {
    const programs = this.#bindings.map(({ program }) => program)
    const inputs = programs[0]?.inputs ?? []
    for (const { name } of request.inputs) {
      if (!inputs.some((one) => one.name === name)) {
        return new ServerError('INVALID_ARG', `unexpected inference input '${name}'`)
      }
    }
    for (const { name, datatype } of inputs) {
      const tensor = request.inputs.find((one) => one.name === name)
      if (tensor === undefined) {
        return new ServerError('INVALID_ARG', `input '${name}' is missing`)
      }
      if (tensor.datatype !== datatype) {
        return new ServerError(
          'INVALID_ARG',
          `input '${name}' has datatype ${tensor.datatype}, the model expects ${datatype}`,
        )
      }
    }
    const asked = request.inputs.map(({ name, shape }) => `'${name}' ${shapeText(shape)}`)
    const compiled = inputs.map(({ name }, i) => `'${name}' ${shapesText(programs, i)}`)
    return new ServerError(
      'INVALID_ARG',
      `the model was compiled for ${compiled.join(', ')}, not for ${asked.join(', ')} in a batch of ${size}`,
    )
  }

  #write(run: Running): void {
    run.pending = 1
    for (const { device, from, bytes } of run.binding.inputs) {
      this.#start(run, 'nrt_tensor_write', (done) => {
        this.#runtime.write(device, from, bytes, done)
      })
    }
    this.#ended(run)
  }

  #execute(run: Running): void {
    run.step = 'execute'
    run.pending = 1
    run.marks.inputEndNs = this.#clock.now()
    this.#startedNs = run.marks.inputEndNs
    const { program, inputSet, outputSet } = run.binding
    this.#start(run, 'nrt_execute', (done) => {
      this.#runtime.execute(program.neff.pointer, inputSet, outputSet, done)
    })
    this.#ended(run)
  }

  #read(run: Running): void {
    run.step = 'read'
    run.pending = 1
    run.marks.outputStartNs = this.#clock.now()
    const rows = rowsOf(run.binding, run.batch)
    for (const output of run.binding.outputs) {
      if (!output.wanted) continue
      const { address } = output.begin(rows)
      this.#start(run, 'nrt_tensor_read', (done) => {
        this.#runtime.read(output.device, address, output.bytes, done)
      })
    }
    this.#ended(run)
  }

  #start(
    run: Running,
    call: string,
    start: (done: (error: Error | null, status: number) => void) => void,
  ): void {
    run.pending++
    try {
      start((error, status) => {
        if (error !== null) run.failure ??= error
        else if (status !== 0) run.failure ??= new NeuronError(call, status)
        this.#ended(run)
      })
    } catch (error) {
      // koffi's queue of asynchronous calls is full: nothing was started.
      run.failure ??= error
      run.pending--
    }
  }

  /** One call less in flight; after the last one comes the next step. */
  #ended(run: Running): void {
    run.pending--
    if (run.pending > 0) return
    if (run.step === 'write') {
      const rows = rowsOf(run.binding, run.batch)
      for (const input of run.binding.inputs) input.moved(rows, run.failure !== null)
    }
    if (run.step === 'execute') {
      this.#figures.executions++
      this.#figures.busyNs += this.#clock.now() - this.#startedNs
    }
    if (run.failure !== null) this.#fail(run, run.failure)
    else if (this.#stopped) this.#cancel(run)
    else if (run.step === 'write') this.#execute(run)
    else if (run.step === 'execute') this.#read(run)
    else this.#answer(run)
  }

  #answer(run: Running): void {
    const outputs = run.binding.outputs.filter((output) => output.wanted)
    const rows = rowsOf(run.binding, run.batch)
    const lent = outputs.map((output) => output.memory)
    const tensors = outputs.map((output) => output.take(rows))
    this.#finish(run, {
      outputs: tensors,
      release: () => {
        for (let i = 0; i < outputs.length; i++) outputs[i]?.giveBack(lent[i] ?? null)
      },
    })
  }

  /** No rows, nothing to compute. */
  #empty(run: Running): void {
    run.marks.inputEndNs = this.#clock.now()
    run.marks.outputStartNs = run.marks.inputEndNs
    for (const output of run.binding.outputs) output.begin(0)
    this.#answer(run)
  }

  #cancel(run: Running): void {
    this.#finish(run, new ServerError('CANCELLED', 'the inference was stopped'))
  }

  #fail(run: Running, failure: unknown): void {
    this.#figures.failures++
    if (failure instanceof NeuronError && isHardwareFailure(failure.status) && !this.#broken) {
      this.#broken = true
      this.#onBroken(`instance '${this.#name}': ${failure.message}`)
    }
    this.#finish(run, neuronError(failure))
  }

  #finish(run: Running, result: BatchResult | ServerError): void {
    this.#running = null
    run.done(result)
    if (this.#running === null) this.#idle?.()
  }
}

function rowsOf(binding: NeuronBinding, batch: Batch): number {
  return binding.batching ? batch.size : 1
}
