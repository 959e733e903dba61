import { Worker } from 'node:worker_threads'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import type { FromWorker, ToWorker } from './typescript-messages.ts'
import { serverError } from './typescript-wire.ts'

/** The file that workers run, and how. */
export interface WorkerEntry {
  readonly url: URL
  /** Node's own options for the thread. Default: those of the process. */
  readonly execArgv?: readonly string[]
}

/** Who uses a thread once it has started. */
export interface ThreadUser {
  message(message: FromWorker): void
  /** It ended without being told to; `stack` = where in its code, '' = nothing is known of that. */
  gone(reason: string, stack: string): void
}

export interface ThreadOptions {
  readonly entry: WorkerEntry
  /** What its heap may grow to, MB. */
  readonly memoryMb: number
  readonly clock: Clock
}

/** A worker with one instance of a model. */
export class ModelThread {
  #user: ThreadUser | null = null
  readonly #worker: Worker
  readonly #clock: Clock
  #waiting: ((reply: FromWorker | string) => void) | null = null
  #gone: string | null = null

  constructor({ entry, memoryMb, clock }: ThreadOptions) {
    this.#clock = clock
    this.#worker = new Worker(entry.url, {
      ...(entry.execArgv === undefined ? {} : { execArgv: [...entry.execArgv] }),
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    })
    this.#worker.on('message', (message: FromWorker | null) => this.#message(message))
    this.#worker.on('error', (error: unknown) =>
      this.#lost(reasonOf(error, memoryMb), error instanceof Error ? (error.stack ?? '') : ''),
    )
    this.#worker.on('exit', (code) => this.#lost(`it ended with exit code ${code}`))
    // An idle worker keeps no process alive.
    this.#worker.unref()
  }

  /** Sends what is answered by exactly one message, and waits for it. Ends the thread when that takes too long. */
  async ask(
    message: ToWorker,
    what: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<FromWorker> {
    const stop = (): void => void this.close()
    signal?.addEventListener('abort', stop)
    let late = false
    const cancel = this.#clock.after(timeoutMs * 1e6, () => {
      late = true
      stop()
    })
    this.#worker.ref()
    const reply = await new Promise<FromWorker | string>((resolve) => {
      this.#waiting = resolve
      if (this.#gone !== null) this.#answer(this.#gone)
      else this.post(message)
    })
    cancel()
    this.#worker.unref()
    signal?.removeEventListener('abort', stop)
    signal?.throwIfAborted()
    if (late) {
      throw new ServerError('UNAVAILABLE', `${what}: it took longer than ${timeoutMs} ms`)
    }
    if (typeof reply === 'string') throw new ServerError('UNAVAILABLE', `${what}: ${reply}`)
    if (reply.kind !== 'failed') return reply
    const { code, message: reason } = serverError(reply.error)
    throw new ServerError(code, `${what}: ${reason}`)
  }

  /** Whoever hears of messages from now on. */
  attach(user: ThreadUser): void {
    const gone = this.#gone
    if (gone === null) this.#user = user
    else queueMicrotask(() => user.gone(gone, ''))
  }

  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  /** Ends it at once; its user hears nothing of it. Idempotent. */
  async close(): Promise<void> {
    this.#user = null
    this.#lost('it was closed')
    await this.#worker.terminate()
  }

  #message(message: FromWorker | null): void {
    // A model's own code can get hold of the port.
    if (message === null) return
    switch (message.kind) {
      case 'opened':
      case 'started':
      case 'failed':
      case 'finished':
        this.#answer(message)
        break
      default:
        this.#pass(message)
    }
  }

  /** What is not what it says it is ends the thread, not the server. */
  #pass(message: FromWorker): void {
    try {
      this.#user?.message(message)
    } catch (error) {
      this.#lost(`it sent a message that cannot be read: ${messageOf(error)}`)
    }
  }

  #answer(reply: FromWorker | string): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(reply)
  }

  #lost(reason: string, stack = ''): void {
    if (this.#gone !== null) return
    this.#gone = reason
    this.#answer(reason)
    const user = this.#user
    this.#user = null
    user?.gone(reason, stack)
  }
}

function reasonOf(error: unknown, memoryMb: number): string {
  if (!(error instanceof Error)) return `uncaught ${String(error)}`
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return `it ran out of memory, memory_limit_mb is ${memoryMb}`
  }
  return `uncaught ${error.name}: ${error.message}`
}
