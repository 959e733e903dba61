import { ServerError } from '../../core/errors.ts'
import type { Execute, ModelResponse } from '../../core/model-api/types.ts'
import { MAX_UNTAKEN } from './hosted/untaken.ts'
import { type AnswerRules, packAnswers } from './typescript-answers.ts'
import type { Post } from './typescript-calls.ts'
import type { ToWorker, WireAnswer } from './typescript-messages.ts'
import { ReceivedRequest } from './typescript-request.ts'
import { noBytes, wireError } from './typescript-wire.ts'

type Answers = Awaited<ReturnType<Execute>>
type RunMessage = Extract<ToWorker, { kind: 'run' }>

/** One request of a decoupled model: how many of its answers were not taken yet. */
interface Strand {
  readonly request: ReceivedRequest
  untaken: number
  wake: (() => void) | null
}

/** Has a model execute what comes, and sends what it answers. */
export class Runs {
  readonly #execute: Execute
  readonly #rules: AnswerRules
  readonly #post: Post
  readonly #open: Map<number, readonly Strand[]> = new Map()

  constructor(execute: Execute, rules: AnswerRules, post: Post) {
    this.#execute = execute
    this.#rules = rules
    this.#post = post
  }

  /** Never rejects. */
  async run({ run, requests, buffer, decoupled }: RunMessage): Promise<void> {
    const strands = requests.map((wire, index): Strand => {
      return { request: new ReceivedRequest(wire, { run, index, buffer }), untaken: 0, wake: null }
    })
    this.#open.set(run, strands)
    if (decoupled) {
      await Promise.all(strands.map((strand) => this.#stream(strand)))
      this.#post({ kind: 'ran', run, answers: [], buffer: noBytes() })
    } else {
      const packed = await this.#answers(strands.map(({ request }) => request))
      this.#post({ kind: 'ran', run, ...packed }, [packed.buffer])
    }
    this.#open.delete(run)
  }

  cancel(run: number, index: number): void {
    const strand = this.#open.get(run)?.[index]
    strand?.request.cancel()
    strand?.wake?.()
  }

  credit(run: number, index: number): void {
    const strand = this.#open.get(run)?.[index]
    if (strand === undefined) return
    strand.untaken--
    strand.wake?.()
  }

  async #answers(
    requests: readonly ReceivedRequest[],
  ): Promise<{ answers: readonly WireAnswer[]; buffer: ArrayBuffer }> {
    try {
      const given: Answers = await this.#execute(requests)
      if (isIterable(given)) {
        throw new ServerError(
          'INTERNAL',
          'execute yields answers: set model_transaction_policy { decoupled: true }',
        )
      }
      return packAnswers(listOf(given, requests.length), requests, this.#rules)
    } catch (error) {
      const failure = this.#thrown(error, requests)
      return { answers: requests.map(() => failure), buffer: noBytes() }
    }
  }

  async #stream(strand: Strand): Promise<void> {
    const { request } = strand
    let last: WireAnswer | null = null
    try {
      const given: Answers = await this.#execute([request])
      if (isIterable(given)) {
        for await (const answer of given) {
          if (request.cancelled) throw new ServerError('CANCELLED', CANCELLED)
          await this.#send(strand, answer)
        }
      } else {
        await this.#send(strand, listOf(given, 1)[0] as ModelResponse | Error)
      }
    } catch (error) {
      last = this.#thrown(error, [request])
    }
    this.#sent(request, last, true, noBytes())
  }

  /** Waits first while too many answers are on their way. */
  async #send(strand: Strand, answer: ModelResponse | Error): Promise<void> {
    const { request } = strand
    while (strand.untaken >= MAX_UNTAKEN && !request.cancelled) {
      await new Promise<void>((resolve) => {
        strand.wake = resolve
      })
    }
    if (request.cancelled) throw new ServerError('CANCELLED', CANCELLED)
    const { answers, buffer } = packAnswers([answer], [request], this.#rules)
    strand.untaken++
    this.#sent(request, answers[0] ?? null, false, buffer)
  }

  #sent(
    { run, index }: ReceivedRequest,
    answer: WireAnswer | null,
    final: boolean,
    buffer: ArrayBuffer,
  ): void {
    this.#post({ kind: 'sent', run, index, answer, final, buffer }, [buffer])
  }

  /** What was thrown, as all of `requests` are told. */
  #thrown(error: unknown, requests: readonly ReceivedRequest[]): WireAnswer {
    if (requests.every(({ cancelled }) => cancelled)) {
      return { code: 'CANCELLED', message: CANCELLED }
    }
    if (error instanceof Error && error.stack !== undefined) {
      this.#post({ kind: 'log', level: 'verbose', message: error.stack })
    }
    const { code, message } = wireError(error, 'INTERNAL')
    return { code, message, thrown: true }
  }
}

const CANCELLED = 'request cancelled while executing'

function isIterable(given: Answers): given is AsyncIterable<ModelResponse | Error> {
  return typeof given === 'object' && given !== null && Symbol.asyncIterator in given
}

function listOf(
  given: readonly (ModelResponse | Error)[],
  count: number,
): readonly (ModelResponse | Error)[] {
  if (Array.isArray(given) && given.length === count) return given
  const what = Array.isArray(given) ? `${given.length} answers` : `a ${typeof given}`
  throw new ServerError('INTERNAL', `execute returned ${what} for ${count} requests`)
}
