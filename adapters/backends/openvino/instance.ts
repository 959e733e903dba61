import type {
  Batch,
  BatchDone,
  ExecutionMarks,
  Instance,
  ModelIo,
} from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import type { InferRequest } from '../../../native/openvino/compiled-model.ts'
import type { OpenVino } from '../../../native/openvino/runtime.ts'
import { batchInputs } from '../onnx-batch-inputs.ts'
import { Slab } from '../onnx-outputs.ts'
import { type InlineMode, Pace } from '../onnx-pace.ts'
import type { JoinedInput, PlanResult } from '../onnx-plan.ts'
import { Plans } from '../onnx-plans.ts'
import {
  type Joining,
  joinInputs,
  joiningOf,
  planFits,
  planKey,
  wantedOutputs,
} from '../onnx-shapes.ts'
import { openVinoError } from './error.ts'
import { Plan } from './plan.ts'
import type { ModelOutput } from './plan-output.ts'

/** How long after a cancellation that came before the run had begun, it is tried again. Nanoseconds. */
const CANCEL_AGAIN_NS = 5_000_000

/** What the instances of one model share. */
export interface Activity {
  /** Runs on libuv's pool: while there are any, another run may have to wait for a stream of the model. */
  pooled: number
}

export interface OpenVinoInstanceOptions {
  readonly ov: OpenVino
  readonly request: InferRequest
  readonly io: ModelIo
  readonly config: ModelConfig
  readonly clock: Clock
  readonly inline: InlineMode
  readonly activity: Activity
  /** Rows that every run must have. */
  readonly fixedRows: number | undefined
  /** Whether smaller batches are filled up to `fixedRows`. */
  readonly padding: boolean
}

/** One execution of one batch: everything a native call in flight uses hangs on this record until its callback. */
interface Running {
  readonly batch: Batch
  readonly marks: ExecutionMarks
  readonly done: BatchDone
  readonly plan: Plan
  readonly inline: boolean
  terminated: boolean
}

/** Runs batches on an infer request of its own, one at a time, inline or on libuv's pool. */
export class OpenVinoInstance implements Instance {
  readonly #options: OpenVinoInstanceOptions
  readonly #joining: Joining
  readonly #indices: ReadonlyMap<string, number>
  readonly #outputs: readonly ModelOutput[]
  readonly #describeBatch: ((batch: Batch) => Batch) | undefined
  readonly #plans: Plans<Plan> = new Plans()
  readonly #slab: Slab = new Slab()
  #recent: Plan | null = null
  /** The plan whose tensors the request has. */
  #bound: Plan | null = null
  #running: Running | null = null
  #idle: (() => void) | null = null
  #closing: Promise<void> | null = null
  readonly #onRun = (error: Error | null, status: number): void => {
    this.#options.activity.pooled--
    this.#completed(error, status)
  }

  constructor(options: OpenVinoInstanceOptions) {
    const { config, io } = options
    this.#options = options
    this.#describeBatch = batchInputs(config)
    this.#joining = joiningOf(config, io.inputs)
    this.#indices = new Map(io.inputs.map(({ name }, index) => [name, index]))
    const shapes = new Map(io.outputs.map((output, index) => [output.name, { output, index }]))
    this.#outputs = wantedOutputs(config, io.outputs).map((wanted) => {
      const { output, index } = shapes.get(wanted.name) ?? { output: { shape: [] }, index: 0 }
      return { ...wanted, index, modelShape: output.shape }
    })
  }

  execute(given: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closing !== null || this.#running !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    const { activity, clock, request } = this.#options
    let plan: Plan | null = null
    let batch = given
    try {
      if (this.#describeBatch !== undefined) batch = this.#describeBatch(given)
      plan = this.#planFor(batch)
      plan.gather(batch)
      plan.bind(request.pointer, this.#bound !== plan)
      this.#bound = plan
    } catch (error) {
      this.#bound = null
      plan?.endInputs()
      plan?.abandonOutputs()
      done(openVinoError(error, 'setting tensor data'))
      return
    }
    marks.inputEndNs = clock.now()
    const inline = plan.pace.inline() && activity.pooled === 0
    this.#running = { batch, marks, done, plan, inline, terminated: false }
    this.#run(inline)
  }

  terminate(): void {
    const running = this.#running
    if (running === null || running.terminated) return
    running.terminated = true
    this.#cancel(running)
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
    this.#bound = null
    this.#options.request.close()
    this.#plans.close()
  }

  /** A cancellation counts only once the run has begun, which nobody tells: it is repeated until the run has ended. */
  #cancel(running: Running): void {
    if (this.#running !== running) return
    const { ov, request, clock } = this.#options
    ov.api.cancel(request.pointer)
    clock.after(CANCEL_AGAIN_NS, () => this.#cancel(running))
  }

  #planFor(batch: Batch): Plan {
    const { ov, fixedRows, inline } = this.#options
    const rows = this.#rows(batch)
    const recent = this.#recent
    const first = batch.requests[0]
    if (recent !== null && first !== undefined && planFits(recent, first, rows, this.#joining)) {
      return recent
    }
    const inputs = joinInputs({ requests: batch.requests, size: rows }, this.#joining)
    const plan = this.#plans.find(planKey(inputs), () => {
      return new Plan({
        ov,
        inputs,
        indices: this.#indicesOf(inputs),
        outputs: this.#outputs,
        pace: new Pace(inline),
        padded: fixedRows !== undefined && this.#joining.batching,
      })
    })
    this.#recent = plan
    return plan
  }

  /** Rows of the run for `batch`. Throws, as Triton does, where they must be others than it has. */
  #rows(batch: Batch): number {
    const { fixedRows, padding } = this.#options
    if (fixedRows === undefined || batch.size === fixedRows || !this.#joining.batching) {
      return batch.size
    }
    if (padding && batch.size < fixedRows) return fixedRows
    throw new ServerError(
      'INTERNAL',
      `expected requests with batch size '${fixedRows}', got '${batch.size}'... this error can be avoided by setting ` +
        "'ENABLE_BATCH_PADDING' parameter in model configuration to 'YES' at a performance cost.",
    )
  }

  /** Every input has to be there: the request would run with what the one before left. */
  #indicesOf(inputs: readonly JoinedInput[]): readonly number[] {
    const indices = inputs.map(({ name }) => this.#indices.get(name) as number)
    if (new Set(indices).size !== inputs.length || inputs.length !== this.#indices.size) {
      const names = [...this.#indices.keys()].map((name) => `'${name}'`).join(', ')
      throw new ServerError(
        'INVALID_ARG',
        `expected the ${this.#indices.size} inference inputs ${names}, got ${inputs.length}`,
      )
    }
    return indices
  }

  #run(inline: boolean): void {
    const { ov, request, activity } = this.#options
    if (inline) {
      this.#completed(null, ov.api.infer(request.pointer))
      return
    }
    try {
      ov.api.infer.async(request.pointer, this.#onRun)
      activity.pooled++
    } catch (error) {
      // koffi's queue of asynchronous calls is full: nothing was started.
      this.#completed(error instanceof Error ? error : new Error(String(error)), 0)
    }
  }

  #completed(error: Error | null, status: number): void {
    const running = this.#running
    if (running === null) return
    const { plan, marks, terminated } = running
    const { ov, clock, request, fixedRows } = this.#options
    marks.outputStartNs = clock.now()
    if (error === null && status === 0) {
      const ns = marks.outputStartNs - marks.inputEndNs
      if (running.inline) plan.pace.ranInline(ns)
      else plan.pace.ranAsync(ns)
      const { size } = running.batch
      const rows = fixedRows === undefined || size === fixedRows ? -1 : size
      this.#settle(running, () => plan.takeOutputs(this.#slab, rows))
      return
    }
    const failure = error === null ? ov.api.error(status) : error
    plan.abandonOutputs()
    if (!terminated && plan.presumes) {
      // The outputs may only be larger than last time: once more, into memory of OpenVINO's.
      plan.forgetShapes()
      try {
        plan.bind(request.pointer, true)
        this.#run(running.inline)
        return
      } catch {
        // The first failure tells more.
      }
    }
    this.#bound = null
    this.#settle(running, () => {
      throw terminated
        ? new ServerError('CANCELLED', 'request cancelled while executing', { cause: failure })
        : openVinoError(failure, 'running inference')
    })
  }

  #settle(running: Running, take: () => PlanResult): void {
    let result: PlanResult | ServerError
    try {
      result = take()
    } catch (error) {
      running.plan.abandonOutputs()
      result = openVinoError(error, 'reading outputs')
    }
    running.plan.endInputs()
    this.#running = null
    const idle = this.#idle
    running.done(result)
    idle?.()
  }
}
