import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
  Peers,
  Placement,
} from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { InferRequest } from '../../core/infer.ts'
import type { Log } from '../../core/platform.ts'
import { Backoff } from './hosted/backoff.ts'
import { PeerCalls } from './hosted/peer-calls.ts'
import { Execution } from './typescript-execution.ts'
import type { FromWorker } from './typescript-messages.ts'
import { peerAnswer, peerCall, peerControlled } from './typescript-peer-messages.ts'
import { openThread, startThread, type ThreadSource } from './typescript-start.ts'
import type { ModelThread } from './typescript-thread.ts'

/** How long a batch waits for an instance that is being restarted, milliseconds. */
export const RESTART_PATIENCE_MS = 1_000
/** How long `finalize` may take, milliseconds. */
export const FINALIZE_TIMEOUT_MS = 5_000

export interface TypescriptInstanceOptions {
  readonly source: ThreadSource
  readonly placement: Placement
  readonly config: ModelConfig
  readonly log: Log
  readonly peers: Peers | undefined
}

/** One instance of a model and the thread it runs in, which is replaced when it ends. */
export class TypescriptInstance implements Instance {
  readonly #options: TypescriptInstanceOptions
  readonly #backoff: Backoff = new Backoff()
  #thread: ModelThread | null = null
  #calls: PeerCalls | null = null
  /** Why there is no thread. */
  #down = ''
  #cancelRestart: (() => void) | null = null
  #execution: Execution | null = null
  #runs = 0
  #onIdle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(options: TypescriptInstanceOptions, thread: ModelThread) {
    this.#options = options
    this.#use(thread)
  }

  get ready(): boolean {
    return this.#thread !== null
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    if (this.#closing !== null || this.#execution !== null) {
      const state = this.#closing !== null ? 'closed' : 'busy'
      done(new ServerError('INTERNAL', `the model instance is ${state}`))
      return
    }
    const { source } = this.#options
    const execution = new Execution({
      run: this.#runs++,
      batch,
      marks,
      answers,
      clock: source.clock,
      model: source.name,
      done: (result) => this.#ended(result, done),
    })
    this.#execution = execution
    const patience = execution.patience
    if (this.#thread !== null) this.#send(this.#thread, execution)
    else patience.start(RESTART_PATIENCE_MS, () => execution.end(this.#unavailable()))
  }

  terminate(): void {
    this.#execution?.cancelAll(this.#thread)
  }

  cancelled(request: InferRequest): void {
    this.#execution?.cancel(request, this.#thread)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#execution !== null) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    this.#cancelRestart?.()
    const thread = this.#thread
    this.#thread = null
    if (thread === null) return
    const what = `model '${this.#options.source.name}' cannot be finalized`
    await thread.ask({ kind: 'finish' }, what, FINALIZE_TIMEOUT_MS).catch((error: unknown) => {
      this.#options.log.error(messageOf(error))
    })
    this.#calls?.close()
    await thread.close()
  }

  #send(thread: ModelThread, execution: Execution): void {
    const { executionTimeoutMs } = this.#options.source.settings
    execution.send(thread, executionTimeoutMs, () => {
      this.#lost(`it ran longer than execution_timeout_ms, which is ${executionTimeoutMs}`)
    })
  }

  #ended(result: BatchResult | ServerError, done: BatchDone): void {
    this.#execution = null
    if (this.#thread !== null) this.#backoff.reset()
    done(result)
    if (this.#execution === null) this.#onIdle?.()
  }

  #use(thread: ModelThread): void {
    const { peers, source } = this.#options
    const calls = new PeerCalls({
      peers,
      clock: source.clock,
      answer: (call, answer, final) => peerAnswer(thread, call, answer, final),
      controlled: (call, result) => peerControlled(thread, call, result),
    })
    this.#thread = thread
    this.#calls = calls
    thread.attach({
      message: (message) => this.#message(message, thread, calls),
      gone: (reason, stack) => this.#lost(reason, stack),
    })
  }

  #message(message: FromWorker, thread: ModelThread, calls: PeerCalls): void {
    switch (message.kind) {
      case 'ran':
      case 'sent':
        this.#execution?.receive(message, thread)
        break
      case 'infer':
        calls.infer(peerCall(message, this.#execution?.requestOf(message.run, message.index)))
        break
      case 'stop':
        calls.stop(message.call)
        break
      case 'taken':
        calls.taken(message.call)
        break
      case 'control':
        calls.control(message)
        break
      case 'log':
        write(
          this.#options.log,
          message.level,
          `${this.#options.placement.name}: ${message.message}`,
        )
    }
  }

  /** The thread is of no more use: what it ran fails, and another one takes its place. */
  #lost(reason: string, stack = ''): void {
    const thread = this.#thread
    if (thread === null) return
    const { log, source } = this.#options
    this.#thread = null
    this.#calls?.close()
    void thread.close()
    this.#down = reason
    log.error(`model '${source.name}' version ${source.version} is restarted: ${reason}`)
    if (stack !== '') log.verbose(1, stack)
    this.#restartLater()
    this.#execution?.end(
      new ServerError('INTERNAL', `model '${source.name}' failed and is restarted: ${reason}`),
    )
  }

  #restartLater(): void {
    if (this.#closing !== null) return
    const { clock } = this.#options.source
    this.#cancelRestart = clock.after(this.#backoff.next() * 1e6, () => void this.#restart())
  }

  /** Never rejects. */
  async #restart(): Promise<void> {
    const { source, placement, config, log } = this.#options
    try {
      const { thread } = await openThread(source, config)
      await startThread(thread, source, placement, config)
      if (this.#closing !== null) {
        await thread.close()
        return
      }
      this.#use(thread)
      log.info(`model '${source.name}' version ${source.version} was restarted`)
      const waiting = this.#execution
      if (waiting !== null) this.#send(thread, waiting)
    } catch (error) {
      this.#down = messageOf(error)
      log.error(`model '${source.name}' version ${source.version}: ${this.#down}`)
      this.#restartLater()
    }
  }

  #unavailable(): ServerError {
    const { name } = this.#options.source
    const message = `model '${name}' is being restarted: ${this.#down}`
    return new ServerError('UNAVAILABLE', message, { retryAfterSecs: 1 })
  }
}

function write(log: Log, level: 'error' | 'warning' | 'info' | 'verbose', text: string): void {
  if (level === 'verbose') log.verbose(1, text)
  else log[level](text)
}
