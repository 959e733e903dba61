import type { ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest } from '../../../core/infer.ts'
import type { Clock } from '../../../core/platform.ts'
import { PeerCalls } from '../hosted/peer-calls.ts'
import { readError } from './answers.ts'
import type { CustomMetrics } from './custom-metrics.ts'
import type { Message } from './messages.ts'
import { readCall, readControl, refusedCall, sendAnswer, sendControlled } from './peer-messages.ts'
import { writeLog } from './worker-log.ts'
import { WorkerMetrics } from './worker-metrics.ts'
import type { WorkerProcess, WorkerUser } from './worker-process.ts'

/** Longest time in which a model says whether it is ready, milliseconds. */
export const READY_TIMEOUT_MS = 5_000

/** Who has batches run on a worker. */
export interface BatchUser {
  /** `ran` or `sent`. What it throws ends the worker. */
  answered(message: Message): void
  gone(reason: string): void
  /** The request that the worker names so; undefined = none. */
  requestOf(run: unknown, index: unknown): InferRequest | undefined
}

export interface ServicesOptions {
  readonly model: ModelSource
  readonly worker: WorkerProcess
  readonly metrics: CustomMetrics
  readonly clock: Clock
}

/** What a worker may ask the server for, from when its model is imported until it ends. */
export class WorkerServices implements WorkerUser {
  readonly #options: ServicesOptions
  readonly #calls: PeerCalls
  readonly #metrics: WorkerMetrics
  readonly #asked: Map<number, (answer: boolean | ServerError) => void> = new Map()
  #asks = 0
  #user: BatchUser | null = null
  #gone: string | null = null

  constructor(options: ServicesOptions) {
    const { model, worker, metrics, clock } = options
    this.#options = options
    this.#metrics = new WorkerMetrics(metrics)
    this.#calls = new PeerCalls({
      peers: model.peers,
      clock,
      answer: (call, answer, final) => sendAnswer(worker, call, answer, final),
      refused: refusedCall,
      controlled: (call, result) => sendControlled(worker, call, result),
    })
    worker.attach(this)
  }

  use(user: BatchUser): void {
    this.#user = user
    const gone = this.#gone
    if (gone !== null) queueMicrotask(() => user.gone(gone))
  }

  /** What the model itself says. Rejects with what it throws, or where it says nothing in time. */
  ready(): Promise<boolean> {
    const { worker, clock } = this.#options
    if (this.#gone !== null) return Promise.resolve(false)
    const ask = this.#asks++
    return new Promise((resolve, reject) => {
      const settle = (answer: boolean | ServerError): void => {
        cancel()
        this.#asked.delete(ask)
        if (answer instanceof ServerError) reject(answer)
        else resolve(answer)
      }
      const cancel = clock.after(READY_TIMEOUT_MS * 1e6, () => settle(false))
      this.#asked.set(ask, settle)
      worker.post(`{"kind":"ready","ask":${ask}}`)
    })
  }

  /** Throws for what cannot be read. */
  message(message: Message): void {
    const { worker, model } = this.#options
    switch (message.kind) {
      case 'ran':
      case 'sent':
        this.#user?.answered(message)
        break
      case 'infer':
        this.#calls.infer(
          readCall(message, worker.received, (run, index) => this.#user?.requestOf(run, index)),
        )
        break
      case 'stop':
        this.#calls.stop(message.call as number)
        break
      case 'taken':
        this.#calls.taken(message.call as number)
        break
      case 'control':
        this.#calls.control(readControl(message))
        break
      case 'log':
        writeLog(model.log, message)
        break
      case 'metric': {
        const answer = this.#metrics.message(message)
        if (answer !== '') worker.post(answer)
        break
      }
      case 'ready':
        this.#answerReady(message)
        break
      default:
        throw new Error('it is of no kind that there is')
    }
  }

  gone(reason: string): void {
    this.#gone = reason
    this.close()
    const user = this.#user
    this.#user = null
    user?.gone(reason)
  }

  /** Nothing of what it asked for is wanted any more. Idempotent. */
  close(): void {
    this.#calls.close()
    this.#metrics.close()
    for (const settle of [...this.#asked.values()]) settle(false)
  }

  #answerReady({ ask, result, error }: Message): void {
    const settle = this.#asked.get(ask as number)
    settle?.(error === undefined || error === null ? result === true : readError(error))
  }
}
