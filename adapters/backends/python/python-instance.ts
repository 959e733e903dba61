import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
  Placement,
} from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import type { InferRequest } from '../../../core/infer.ts'
import { Backoff } from '../hosted/backoff.ts'
import { Patience } from '../hosted/patience.ts'
import { BusyWatch, SLOW_EXECUTION_MS } from './busy-watch.ts'
import { Execution } from './execution.ts'
import { Lane, type LaneOwner } from './lane.ts'
import type { Message } from './messages.ts'
import { Pace } from './pace.ts'
import type { WorkerProcess } from './worker-process.ts'
import type { BatchUser } from './worker-services.ts'
import {
  closeWorker,
  type OpenedWorker,
  openWorker,
  startWorker,
  type WorkerSource,
} from './worker-start.ts'

/** How long a batch waits for an instance that is being restarted, milliseconds: Python and its libraries take a while. */
export const RESTART_PATIENCE_MS = 10_000
/** How long `finalize` may take, milliseconds. */
export const FINALIZE_TIMEOUT_MS = 5_000
/** Batches that a worker may have before it has run the one before them. */
export const MAX_AHEAD = 3

export interface PythonInstanceOptions {
  readonly source: WorkerSource
  readonly placement: Placement
  readonly config: ModelConfig
}

/** One instance of a model and the process it runs in, which is replaced when it ends. */
export class PythonInstance implements Instance, BatchUser {
  readonly tellReady?: () => Promise<boolean>
  readonly ahead: readonly Instance[]
  readonly #options: PythonInstanceOptions
  readonly #backoff: Backoff = new Backoff()
  readonly #watch: BusyWatch
  readonly #patience: Patience
  #opened: OpenedWorker | null = null
  /** Why there is no worker. */
  #down = ''
  #cancelRestart: (() => void) | null = null
  readonly #lane: Lane
  /** What has not ended, in the order in which it runs. */
  readonly #running: Execution[] = []
  readonly #pace: Pace
  /** Answers of these are to come, those of `#running` included that were sent. */
  readonly #open: Map<number, Execution> = new Map()
  #runs = 0
  #onIdle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(options: PythonInstanceOptions, opened: OpenedWorker) {
    this.#options = options
    const { clock, settings } = options.source
    this.#patience = new Patience(clock)
    this.#pace = new Pace(clock, () => this.#since())
    const { executionTimeoutMs: timeoutMs } = settings
    this.#watch = new BusyWatch({
      clock,
      timeoutMs,
      since: () => this.#since(),
      slow: () => this.#slow(),
      late: () =>
        this.#opened?.worker.kill(`it ran longer than execution_timeout_ms, which is ${timeoutMs}`),
    })
    const owner = this.#owner()
    this.#lane = new Lane(owner)
    this.ahead = Array.from({ length: MAX_AHEAD }, () => new Lane(owner))
    this.#use(opened)
    if (opened.tellsReady) this.tellReady = () => this.#tellReady()
  }

  get ready(): boolean {
    return this.#opened !== null
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    this.#lane.execute(batch, marks, done, answers)
  }

  terminate(): void {
    this.#lane.terminate()
    for (const execution of this.#open.values()) {
      if (!this.#running.includes(execution)) this.#cancelAll(execution)
    }
  }

  cancelled(request: InferRequest): void {
    for (const execution of this.#open.values()) {
      const index = execution.indexOf(request)
      if (index >= 0) this.#cancel(execution.run, index)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#running.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    this.#cancelRestart?.()
    this.#watch.close()
    const opened = this.#opened
    this.#opened = null
    if (opened === null) return
    const { worker } = opened
    const { model } = this.#options.source
    const what = `model '${model.name}' cannot be finalized`
    await worker.ask('{"kind":"finish"}', what, FINALIZE_TIMEOUT_MS).catch((error: unknown) => {
      model.log.error(messageOf(error))
    })
    await closeWorker(opened, true)
    for (const execution of this.#open.values()) execution.end(closed())
    this.#open.clear()
  }

  async #tellReady(): Promise<boolean> {
    const { model } = this.#options.source
    try {
      return (await this.#opened?.services.ready()) ?? false
    } catch (error) {
      model.log.error(`model '${model.name}' cannot tell whether it is ready: ${messageOf(error)}`)
      return false
    }
  }

  readonly #credit = (run: number, index: number): void => {
    this.#opened?.worker.post(`{"kind":"credit","run":${run},"index":${index}}`)
  }

  #cancel(run: number, index: number): void {
    this.#opened?.worker.post(`{"kind":"cancel","run":${run},"index":${index}}`)
  }

  #send(worker: WorkerProcess, execution: Execution): void {
    let message: string
    try {
      message = execution.message(worker.sent)
    } catch (error) {
      execution.end(ServerError.from(error))
      return
    }
    this.#open.set(execution.run, execution)
    worker.post(message)
    this.#watch.start()
    this.#pace.stayAwake()
    const { requests } = execution
    for (let i = 0; i < requests.length; i++) {
      if (requests[i]?.cancelled === true) this.#cancel(execution.run, i)
    }
  }

  #owner(): LaneOwner {
    const instance = this
    return {
      get closing() {
        return instance.#closing !== null
      },
      get brisk() {
        return instance.#opened !== null && instance.#pace.brisk
      },
      begin: (batch, marks, done, answers) =>
        new Execution({
          run: this.#runs++,
          batch,
          marks,
          answers,
          now: this.#options.source.clock.now,
          done,
          credit: this.#credit,
        }),
      run: (execution) => {
        this.#running.push(execution)
        if (this.#opened !== null) this.#send(this.#opened.worker, execution)
        else this.#patience.start(RESTART_PATIENCE_MS, () => this.#refuseWaiting())
      },
      ended: (execution, result) => this.#ended(execution, result),
      left: () => {
        if (this.#running.length === 0) this.#onIdle?.()
      },
      cancel: (execution) => {
        if (execution.sentNs === 0) execution.end(cancelled())
        else this.#cancelAll(execution)
      },
    }
  }

  #ended(execution: Execution, result: BatchResult | ServerError): void {
    this.#running.splice(this.#running.indexOf(execution), 1)
    if (this.#running.length === 0) this.#patience.end()
    if (this.#opened !== null && !(result instanceof ServerError)) this.#backoff.reset()
    if (execution.over) this.#open.delete(execution.run)
    if (execution.sentNs > 0) this.#pace.ended(execution.begin(this.#pace.freeNs))
  }

  /** When what runs now began; 0 = nothing does. */
  #since(): number {
    const [first] = this.#running
    return first === undefined || first.sentNs === 0 ? 0 : Math.max(first.sentNs, this.#pace.freeNs)
  }

  /** Ends what waits for a worker. */
  #refuseWaiting(): void {
    for (const execution of [...this.#running]) {
      if (execution.sentNs === 0) execution.end(this.#unavailable())
    }
  }

  #cancelAll({ run, requests }: Execution): void {
    for (let i = 0; i < requests.length; i++) this.#cancel(run, i)
  }

  #use(opened: OpenedWorker): void {
    this.#opened = opened
    opened.services.use(this)
  }

  /** Throws for what cannot be read. */
  answered(message: Message): void {
    const execution = this.#open.get(message.run as number)
    const memory = this.#opened?.worker.received
    if (execution === undefined || memory === undefined) {
      throw new Error('it answers what was never asked')
    }
    if (message.kind === 'ran') execution.ran(message, memory)
    else execution.sent(message, memory)
    if (execution.over) this.#open.delete(execution.run)
  }

  requestOf(run: unknown, index: unknown): InferRequest | undefined {
    return this.#open.get(run as number)?.requestAt(index as number)
  }

  #slow(): void {
    const { model } = this.#options.source
    model.log.warning(
      `${this.#options.placement.name}: model '${model.name}' has been executing one batch for ${SLOW_EXECUTION_MS / 1000} s`,
    )
  }

  /** The worker is of no more use: what it ran fails, and another one takes its place. */
  gone(reason: string): void {
    const { model } = this.#options.source
    const { name } = this.#options.placement
    const opened = this.#opened
    if (opened === null) return
    this.#opened = null
    void opened.worker.close()
    this.#down = reason
    model.log.error(
      `model '${model.name}' version ${model.version}: instance '${name}' is restarted: ${reason}`,
    )
    this.#restartLater()
    const error = new ServerError(
      'INTERNAL',
      `Failed to process the request(s) for model instance '${name}', message: Stub process '${name}' is not healthy.`,
    )
    // Runs come one after the other: those behind the first were not begun, and wait for the next worker.
    const [, ...ahead] = this.#running
    const lost = [...this.#open.values()].filter((execution) => !ahead.includes(execution))
    this.#open.clear()
    for (const execution of ahead) execution.unsend()
    if (ahead.length > 0) this.#patience.start(RESTART_PATIENCE_MS, () => this.#refuseWaiting())
    for (const execution of lost) execution.end(error)
  }

  #restartLater(): void {
    if (this.#closing !== null) return
    const { clock } = this.#options.source
    this.#cancelRestart = clock.after(this.#backoff.next() * 1e6, () => void this.#restart())
  }

  /** Never rejects. */
  async #restart(): Promise<void> {
    const { source, placement, config } = this.#options
    const { name, version, log } = source.model
    try {
      const options = { complete: false, name: placement.name }
      const opened = await openWorker(source, config, options)
      await startWorker(opened, source, placement, config)
      if (this.#closing !== null) {
        await closeWorker(opened)
        return
      }
      this.#use(opened)
      log.info(`model '${name}' version ${version}: instance '${placement.name}' was restarted`)
      this.#patience.end()
      for (const execution of [...this.#running]) this.#send(opened.worker, execution)
    } catch (error) {
      this.#down = messageOf(error)
      log.error(`model '${name}' version ${version}: ${this.#down}`)
      this.#refuseWaiting()
      this.#restartLater()
    }
  }

  #unavailable(): ServerError {
    const { name } = this.#options.source.model
    const message = `model '${name}' is being restarted: ${this.#down}`
    return new ServerError('UNAVAILABLE', message, { retryAfterSecs: 1 })
  }
}

function cancelled(): ServerError {
  return new ServerError('CANCELLED', 'request cancelled while executing')
}

function closed(): ServerError {
  return new ServerError('UNAVAILABLE', 'the model was unloaded')
}
