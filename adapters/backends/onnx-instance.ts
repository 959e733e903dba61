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
import type { IoBinding } from '../../native/onnxruntime/io-binding.ts'
import type { Memory } from '../../native/onnxruntime/memory.ts'
import type { RunOptions } from '../../native/onnxruntime/run-options.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import type { Session } from '../../native/onnxruntime/session.ts'
import { batchInputs } from './onnx-batch-inputs.ts'
import { onnxError } from './onnx-error.ts'
import { runEntries } from './onnx-options.ts'
import { Slab } from './onnx-outputs.ts'
import { type InlineMode, Pace } from './onnx-pace.ts'
import { Plan, type PlanResult, type WantedOutput } from './onnx-plan.ts'
import { Plans } from './onnx-plans.ts'
import {
  type Joining,
  joinInputs,
  joiningOf,
  planFits,
  planKey,
  wantedOutputs,
} from './onnx-shapes.ts'

export interface OnnxInstanceOptions {
  readonly ort: OnnxRuntime
  readonly session: Session
  readonly io: ModelIo
  readonly config: ModelConfig
  readonly clock: Clock
  readonly inline: InlineMode
  /** Ties tensors to the session before each run instead of naming them in it. */
  readonly binding: boolean
  /** Frees the session when it is this instance's own. */
  readonly onClose: () => Promise<void>
}

/** One execution of one batch: everything a native call in flight uses hangs on this record until its callback. */
interface Running {
  readonly batch: Batch
  readonly marks: ExecutionMarks
  readonly done: BatchDone
  readonly plan: Plan
  inline: boolean
}

/** Runs batches on a session, one at a time, inline or on libuv's pool. */
export class OnnxInstance implements Instance {
  readonly #ort: OnnxRuntime
  readonly #session: Session
  readonly #clock: Clock
  readonly #inline: InlineMode
  readonly #onClose: () => Promise<void>
  readonly #runOptions: RunOptions
  readonly #binding: IoBinding | null
  readonly #joining: Joining
  readonly #describeBatch: ((batch: Batch) => Batch) | undefined
  readonly #outputs: readonly WantedOutput[]
  readonly #names: Map<string, Memory> = new Map()
  readonly #plans: Plans<Plan> = new Plans()
  readonly #slab: Slab = new Slab()
  #recent: Plan | null = null
  #running: Running | null = null
  #idle: (() => void) | null = null
  #closing: Promise<void> | null = null
  readonly #onRun = (error: Error | null, status: number): void => this.#completed(error, status)
  readonly #onBound = (error: Error | null, ran: number): void => {
    const plan = this.#running?.plan
    const binding = this.#binding
    let status = ran
    if (error === null && ran === 0 && plan !== undefined) status = binding?.take(plan) ?? 0
    binding?.clear()
    this.#completed(error, status)
  }

  constructor(options: OnnxInstanceOptions) {
    const { ort, config, io } = options
    this.#ort = ort
    this.#session = options.session
    this.#clock = options.clock
    this.#inline = options.inline
    this.#onClose = options.onClose
    this.#describeBatch = batchInputs(config)
    this.#joining = joiningOf(config, io.inputs)
    this.#outputs = wantedOutputs(config, io.outputs)
    this.#runOptions = ort.runOptions(runEntries(config))
    this.#binding = options.binding ? ort.ioBinding(options.session) : null
  }

  execute(given: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closing !== null || this.#running !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    let plan: Plan | null = null
    let batch = given
    try {
      if (this.#describeBatch !== undefined) batch = this.#describeBatch(given)
      plan = this.#planFor(batch)
      plan.gather(batch)
      plan.prepareOutputs()
    } catch (error) {
      plan?.endInputs()
      plan?.dropOutputs()
      done(onnxError(error))
      return
    }
    marks.inputEndNs = this.#clock.now()
    this.#running = { batch, marks, done, plan, inline: plan.pace.inline() }
    this.#run(plan, this.#running.inline)
  }

  terminate(): void {
    if (this.#running !== null) this.#runOptions.terminate()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#running !== null) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    this.#recent = null
    this.#plans.close()
    this.#binding?.close()
    this.#runOptions.close()
    await this.#onClose()
  }

  #planFor(batch: Batch): Plan {
    const recent = this.#recent
    const first = batch.requests[0]
    if (
      recent !== null &&
      first !== undefined &&
      planFits(recent, first, batch.size, this.#joining)
    ) {
      return recent
    }
    const inputs = joinInputs(batch, this.#joining)
    const plan = this.#plans.find(planKey(inputs), () => {
      return new Plan({
        ort: this.#ort,
        inputs,
        outputs: this.#outputs,
        pace: new Pace(this.#inline),
        nameOf: (name) => this.#name(name),
      })
    })
    this.#recent = plan
    return plan
  }

  #name(name: string): Memory {
    let text = this.#names.get(name)
    if (text === undefined) {
      const bytes = new TextEncoder().encode(name)
      text = this.#ort.allocate(bytes.length + 1)
      text.bytes.fill(0)
      text.bytes.set(bytes)
      this.#names.set(name, text)
    }
    return text
  }

  #runBound(binding: IoBinding, plan: Plan, inline: boolean): void {
    const options = this.#runOptions.pointer
    const status = binding.bind(plan)
    if (status !== 0 || inline) {
      this.#onBound(null, status !== 0 ? status : binding.run(options))
      return
    }
    try {
      binding.runAsync(options, this.#onBound)
    } catch (error) {
      this.#onBound(error instanceof Error ? error : new Error(String(error)), 0)
    }
  }

  #run(plan: Plan, inline: boolean): void {
    if (this.#binding !== null) {
      this.#runBound(this.#binding, plan, inline)
      return
    }
    const { inputNames, inputValues, outputNames, outputValues } = plan
    const { run } = this.#ort.api
    const session = this.#session.pointer
    const options = this.#runOptions.pointer
    if (inline) {
      const status = run(
        session,
        options,
        inputNames.address,
        inputValues.address,
        inputNames.length,
        outputNames.address,
        outputNames.length,
        outputValues.address,
      )
      this.#completed(null, status)
      return
    }
    try {
      run.async(
        session,
        options,
        inputNames.address,
        inputValues.address,
        inputNames.length,
        outputNames.address,
        outputNames.length,
        outputValues.address,
        this.#onRun,
      )
    } catch (error) {
      // koffi's queue of asynchronous calls is full: nothing was started.
      this.#completed(error instanceof Error ? error : new Error(String(error)), 0)
    }
  }

  #completed(error: Error | null, status: number): void {
    const running = this.#running
    if (running === null) return
    const { plan, marks } = running
    marks.outputStartNs = this.#clock.now()
    const terminated = this.#runOptions.reset()
    if (error === null && status === 0 && plan.wroteOutputs()) {
      const ns = marks.outputStartNs - marks.inputEndNs
      if (running.inline) plan.pace.ranInline(ns)
      else plan.pace.ranAsync(ns)
      this.#settle(running, () => plan.takeOutputs(this.#slab))
      return
    }
    const failure = error === null && status !== 0 ? this.#ort.api.error(status) : error
    plan.dropOutputs()
    if (!terminated && plan.presumes) {
      // The outputs may only have another shape than last time, or cannot be placed: once more, into memory of ONNX Runtime's.
      plan.forgetShapes()
      plan.prepareOutputs()
      this.#run(plan, running.inline)
      return
    }
    this.#settle(running, () => {
      throw terminated
        ? new ServerError('CANCELLED', 'request cancelled while executing', { cause: failure })
        : onnxError(failure)
    })
  }

  #settle(running: Running, take: () => PlanResult): void {
    let result: PlanResult | ServerError
    try {
      result = take()
    } catch (error) {
      running.plan.dropOutputs()
      result = onnxError(error)
    }
    running.plan.endInputs()
    this.#running = null
    const idle = this.#idle
    running.done(result)
    idle?.()
  }
}
