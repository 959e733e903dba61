import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
} from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../core/infer.ts'
import { type Answer, readAnswers, readError } from './answers.ts'
import type { Message } from './messages.ts'
import type { ReceivedMemory } from './received-memory.ts'
import { requestJson } from './requests.ts'
import type { SentMemory } from './sent-memory.ts'
import { blockBytes, TensorWriter } from './tensor-writer.ts'

export interface ExecutionOptions {
  readonly run: number
  readonly batch: Batch
  readonly marks: ExecutionMarks
  /** null where the model is not decoupled. */
  readonly answers: DecoupledAnswers | null
  readonly now: () => number
  /** Called once: the instance is free. */
  readonly done: BatchDone
  /** May send one more response. */
  readonly credit: (run: number, index: number) => void
}

/** One batch on its way through a worker, until the last of its answers: that of a decoupled model may come after its end. */
export class Execution {
  readonly run: number
  /** When it was sent, `Clock.now()`; 0 = it was not. */
  sentNs = 0
  readonly #options: ExecutionOptions
  /** The batch's requests: its record may be used again before a late answer comes. */
  readonly #requests: readonly InferRequest[]
  /** By request; null = there is none yet. Of a decoupled model only its last one counts. */
  readonly #answers: (Answer | null)[]
  /** By request: credits that wait until its client takes answers again. */
  readonly #owed: number[] = []
  #open: number
  /** `execute` did. */
  #returned = false
  #ended = false

  constructor(options: ExecutionOptions) {
    this.#options = options
    this.run = options.run
    this.#requests = [...options.batch.requests]
    this.#open = this.#requests.length
    this.#answers = new Array(this.#open).fill(null)
  }

  /** Whether nothing of it is to come any more. */
  get over(): boolean {
    return this.#ended && this.#open === 0
  }

  /** JSON of the message that has the worker run it. Throws UNAVAILABLE where its inputs find no room. */
  message(memory: SentMemory): string {
    const { answers, marks, now } = this.#options
    const requests = this.#requests
    let bytes = 0
    for (let i = 0; i < requests.length; i++)
      bytes += blockBytes((requests[i] as InferRequest).inputs)
    const writer = new TensorWriter(memory, bytes)
    let text = `{"kind":"run","run":${this.run},"decoupled":${answers !== null},"requests":[`
    for (let i = 0; i < requests.length; i++) {
      if (i > 0) text += ','
      text += requestJson(requests[i] as InferRequest, writer)
    }
    this.sentNs = now()
    marks.inputEndNs = this.sentNs
    return `${text}]${writer.tail}`
  }

  /** It will be sent again, to another worker: this one did not begin it. */
  unsend(): void {
    this.sentNs = 0
  }

  /** When it began to run, if what ran before it ended at `freeNs`; its marks say so from now on. `Clock.now()`. */
  begin(freeNs: number): number {
    const { marks } = this.#options
    marks.inputEndNs = Math.max(this.sentNs, freeNs)
    return marks.inputEndNs
  }

  /** `execute` returned. Throws for a message that cannot be read. */
  ran(message: Message, memory: ReceivedMemory): void {
    if (this.#returned || this.#ended) throw new Error('a batch ended twice')
    if (message.error !== undefined && message.error !== null) {
      this.#failed(readError(message.error))
      return
    }
    if (this.#options.answers !== null) {
      const again = this.#again()
      this.#finish(again === undefined ? NOTHING : { outputs: [], again })
      return
    }
    this.#returned = true
    const answers = readAnswers(message.answers, message, memory)
    if (answers.length !== this.#requests.length) throw new Error('it answers other requests')
    for (let i = 0; i < answers.length; i++) {
      const answer = answers[i] as Answer
      if (answer !== 'later') this.#take(i, answer)
    }
    this.#endWhenAnswered()
  }

  /** One response. Throws for a message that cannot be read. */
  sent(message: Message, memory: ReceivedMemory): void {
    const { index, final, again } = message
    const request = typeof index === 'number' ? this.#requests[index] : undefined
    if (request === undefined || typeof index !== 'number')
      throw new Error('it answers other requests')
    const answer = readSent(message, memory)
    const last = final === true || again === true
    const { answers } = this.#options
    if (this.#answers[index] !== null) {
      if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
      return
    }
    if (answers === null) {
      if (last || answer !== null) this.#take(index, again === true ? 'again' : (answer ?? EMPTY))
      this.#endWhenAnswered()
      return
    }
    if (again === true) {
      if (answer !== null) answers.send(index, answer, false)
      this.#take(index, 'again')
      return
    }
    if (last) this.#take(index, 'later')
    answers.send(index, answer, last)
    if (!last && answer !== null) this.#credit(index, request)
  }

  /** What was answered before stays answered. */
  #failed(error: ServerError): void {
    if (this.#options.answers !== null || this.#open === this.#requests.length) {
      this.end(error)
      return
    }
    this.#returned = true
    for (let i = 0; i < this.#answers.length; i++) this.#take(i, error)
    this.#endWhenAnswered()
  }

  /** Fails whatever has no last answer. Idempotent. */
  end(error: ServerError): void {
    const { answers } = this.#options
    const open = this.#answers.flatMap((answer, index) => (answer === null ? [index] : []))
    this.#answers.fill('later')
    this.#open = 0
    if (!this.#ended) this.#finish(error)
    else if (answers !== null) for (const index of open) answers.send(index, error, true)
  }

  /** -1 = none of this batch. */
  indexOf(request: InferRequest): number {
    return this.#requests.indexOf(request)
  }

  requestAt(index: number): InferRequest | undefined {
    return this.#requests[index]
  }

  get requests(): readonly InferRequest[] {
    return this.#requests
  }

  #take(index: number, answer: Answer): void {
    if (this.#answers[index] !== null) return
    this.#answers[index] = answer
    this.#open--
  }

  /** Ends the batch of a model that is not decoupled once all is there. */
  #endWhenAnswered(): void {
    if (!this.#returned || this.#open > 0 || this.#ended) return
    const again = this.#again()
    if (this.#requests.length === 1 && again === undefined) {
      const only = this.#answers[0] as InferResponse | ServerError
      if (only instanceof ServerError) {
        this.#finish(only)
        return
      }
      if (only.parameters === undefined) {
        this.#finish({ ...only, asGiven: true })
        return
      }
    }
    const answers = this.#answers.map((answer) =>
      typeof answer === 'object' && answer !== null ? answer : AGAIN,
    )
    this.#finish({ outputs: [], answers, asGiven: true, ...(again === undefined ? {} : { again }) })
  }

  #again(): readonly InferRequest[] | undefined {
    if (!this.#answers.includes('again')) return undefined
    return this.#requests.filter((_, i) => this.#answers[i] === 'again')
  }

  #finish(result: BatchResult | ServerError): void {
    this.#ended = true
    this.#options.marks.outputStartNs = this.#options.now()
    this.#options.done(result)
  }

  /** The model may send one more, as soon as the client takes them. */
  #credit(index: number, request: InferRequest): void {
    if (!request.congested || request.settled) {
      this.#options.credit(this.run, index)
      return
    }
    const owed = (this.#owed[index] ?? 0) + 1
    this.#owed[index] = owed
    if (owed === 1) request.onWritable = () => this.#resume(index)
  }

  /** May be called for nothing. */
  #resume(index: number): void {
    const owed = this.#owed[index] ?? 0
    this.#owed[index] = 0
    for (let i = 0; i < owed; i++) this.#options.credit(this.run, index)
  }
}

const NOTHING: BatchResult = { outputs: [] }
const EMPTY: InferResponse = { outputs: [] }
const AGAIN = new ServerError('INTERNAL', 'the request runs again')

/** null = no response. */
function readSent(message: Message, memory: ReceivedMemory): InferResponse | ServerError | null {
  const { outputs, error } = message
  if (error !== undefined && error !== null) return readError(error)
  if (outputs === undefined || outputs === null) return null
  const [answer] = readAnswers([message], message, memory)
  return typeof answer === 'object' ? answer : null
}
