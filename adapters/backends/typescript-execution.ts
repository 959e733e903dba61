import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
} from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { InferRequest } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import { Patience } from './hosted/patience.ts'
import type { FromWorker, WireRequest } from './typescript-messages.ts'
import { answerOf, resultOf } from './typescript-results.ts'
import type { ModelThread } from './typescript-thread.ts'
import { packAligned } from './typescript-wire.ts'

export interface ExecutionOptions {
  readonly run: number
  readonly batch: Batch
  readonly marks: ExecutionMarks
  /** null where the model is not decoupled. */
  readonly answers: DecoupledAnswers | null
  readonly clock: Clock
  readonly model: string
  /** Called once. */
  readonly done: BatchDone
}

/** One batch on its way through a worker. */
export class Execution {
  /** Ends it where it takes too long. */
  readonly patience: Patience
  readonly #options: ExecutionOptions
  /** The batch's requests: its record may be used again before a late answer comes. */
  readonly #requests: readonly InferRequest[]
  /** By request: credits that wait until its client takes answers again. */
  readonly #owed: number[] = []
  /** By request: whether it has its last answer. */
  readonly #final: boolean[] = []
  /** Requests without a last answer, and those of them that are owed credits. */
  #open: number
  #slow = 0
  #sent = false
  #ended = false

  constructor(options: ExecutionOptions) {
    this.#options = options
    this.#requests = [...options.batch.requests]
    this.#open = this.#requests.length
    this.patience = new Patience(options.clock)
  }

  send(thread: ModelThread, timeoutMs: number, late: () => void): void {
    const { run, answers, marks, clock } = this.#options
    const requests = this.#requests
    const { groups, buffer } = packAligned(requests.map(({ inputs }) => inputs))
    const wire = requests.map((request, i): WireRequest => {
      const { id, outputs, parameters, priority, timeoutUs, batchSize } = request
      const { sequenceId, sequenceStart, sequenceEnd } = request
      return {
        id,
        inputs: groups[i] ?? [],
        outputs,
        parameters,
        priority,
        timeoutUs,
        sequenceId,
        sequenceStart,
        sequenceEnd,
        batchSize,
      }
    })
    this.#sent = true
    thread.post({ kind: 'run', run, decoupled: answers !== null, requests: wire, buffer }, [buffer])
    marks.inputEndNs = clock.now()
    this.patience.end()
    if (timeoutMs > 0) this.patience.start(timeoutMs, late)
    for (const request of requests) if (request.cancelled) this.cancel(request, thread)
  }

  receive(message: Extract<FromWorker, { kind: 'ran' | 'sent' }>, thread: ModelThread): void {
    const { run, answers, model } = this.#options
    if (message.run !== run) return
    if (message.kind === 'ran') {
      const { answers: given, buffer } = message
      const requests = this.#requests
      this.end(answers === null ? resultOf({ answers: given, requests, buffer, model }) : NOTHING)
      return
    }
    const { index, answer, final, buffer } = message
    answers?.send(index, answer === null ? null : answerOf(answer, buffer, model), final)
    if (final) this.#close(index)
    else this.#credit(index, thread)
    this.#watch()
  }

  /** Ends the batch. Idempotent. */
  end(result: BatchResult | ServerError): void {
    if (this.#ended) return
    this.#ended = true
    this.patience.end()
    this.#options.marks.outputStartNs = this.#options.clock.now()
    this.#options.done(result)
  }

  cancelAll(thread: ModelThread | null): void {
    for (const request of this.#requests) this.cancel(request, thread)
  }

  cancel(request: InferRequest, thread: ModelThread | null): void {
    const { run } = this.#options
    const index = this.#requests.indexOf(request)
    if (index < 0) return
    if (this.#sent) {
      thread?.post({ kind: 'cancel', run, index })
      this.patience.resume()
    } else if (this.#requests.every(({ cancelled }) => cancelled)) this.end(cancelled())
  }

  /** undefined = none of this batch. */
  requestOf(run: number, index: number): InferRequest | undefined {
    return run === this.#options.run ? this.#requests[index] : undefined
  }

  /** The model may send one more, as soon as the client takes them. */
  #credit(index: number, thread: ModelThread): void {
    const { run } = this.#options
    const request = this.#requests[index] as InferRequest
    if (!request.congested || request.settled) {
      thread.post({ kind: 'credit', run, index })
      return
    }
    const owed = (this.#owed[index] ?? 0) + 1
    this.#owed[index] = owed
    if (owed > 1) return
    this.#slow++
    request.onWritable = () => this.#resume(index, thread)
  }

  #close(index: number): void {
    if (this.#final[index] === true) return
    this.#final[index] = true
    this.#open--
    if ((this.#owed[index] ?? 0) > 0) this.#slow--
    this.#owed[index] = 0
  }

  /** A client that is slow is not the model's fault: nothing counts while all that are open are. */
  #watch(): void {
    if (this.#open > 0 && this.#slow === this.#open) this.patience.pause()
    else this.patience.renew()
  }

  /** May be called for nothing. */
  #resume(index: number, thread: ModelThread): void {
    const owed = this.#owed[index] ?? 0
    if (owed === 0) return
    this.#owed[index] = 0
    this.#slow--
    this.#watch()
    for (let i = 0; i < owed; i++) {
      thread.post({ kind: 'credit', run: this.#options.run, index })
    }
  }
}

const NOTHING: BatchResult = { outputs: [] }

function cancelled(): ServerError {
  return new ServerError('CANCELLED', 'request cancelled while executing')
}
