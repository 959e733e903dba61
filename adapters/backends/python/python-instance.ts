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
import type { Message } from './messages.ts'
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

export interface PythonInstanceOptions {
  readonly source: WorkerSource
  readonly placement: Placement
  readonly config: ModelConfig
}

/** One instance of a model and the process it runs in, which is replaced when it ends. */
export class PythonInstance implements Instance, BatchUser {
  readonly tellReady?: () => Promise<boolean>
  readonly #options: PythonInstanceOptions
  readonly #backoff: Backoff = new Backoff()
  readonly #watch: BusyWatch
  readonly #patience: Patience
  #opened: OpenedWorker | null = null
  /** Why there is no worker. */
  #down = ''
  #cancelRestart: (() => void) | null = null
  /** What keeps the instance from running anything else. */
  #current: Execution | null = null
  /** Answers of these are to come, `#current` included once it was sent. */
  readonly #open: Map<number, Execution> = new Map()
  #runs = 0
  #onIdle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(options: PythonInstanceOptions, opened: OpenedWorker) {
    this.#options = options
    const { clock, settings } = options.source
    this.#patience = new Patience(clock)
    const { executionTimeoutMs: timeoutMs } = settings
    this.#watch = new BusyWatch({
      clock,
      timeoutMs,
      since: () => this.#current?.sentNs ?? 0,
      slow: () => this.#slow(),
      late: () =>
        this.#opened?.worker.kill(`it ran longer than execution_timeout_ms, which is ${timeoutMs}`),
    })
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
    if (this.#closing !== null || this.#current !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    const execution = new Execution({
      run: this.#runs++,
      batch,
      marks,
      answers,
      now: this.#options.source.clock.now,
      done: (result) => this.#ended(result, done),
      credit: this.#credit,
    })
    this.#current = execution
    if (this.#opened !== null) this.#send(this.#opened.worker, execution)
    else this.#patience.start(RESTART_PATIENCE_MS, () => execution.end(this.#unavailable()))
  }

  terminate(): void {
    for (const execution of this.#open.values()) {
      for (let i = 0; i < execution.requests.length; i++) this.#cancel(execution.run, i)
    }
    const waiting = this.#current
    if (waiting !== null && waiting.sentNs === 0) waiting.end(cancelled())
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
    if (this.#current !== null) {
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
    const { requests } = execution
    for (let i = 0; i < requests.length; i++) {
      if (requests[i]?.cancelled === true) this.#cancel(execution.run, i)
    }
  }

  #ended(result: BatchResult | ServerError, done: BatchDone): void {
    const execution = this.#current
    this.#current = null
    this.#patience.end()
    if (this.#opened !== null && !(result instanceof ServerError)) this.#backoff.reset()
    if (execution?.over === true) this.#open.delete(execution.run)
    done(result)
    if (this.#current === null) this.#onIdle?.()
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
    const lost = [...this.#open.values()]
    this.#open.clear()
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
      const waiting = this.#current
      if (waiting !== null) {
        this.#patience.end()
        this.#send(opened.worker, waiting)
      }
    } catch (error) {
      this.#down = messageOf(error)
      log.error(`model '${name}' version ${version}: ${this.#down}`)
      this.#current?.end(this.#unavailable())
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
