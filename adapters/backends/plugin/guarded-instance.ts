import type {
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from '../../../core/backend/types.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../core/infer.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import { checkedResponse, checkedResult, type OutputTypes } from './checked-result.ts'
import { isErrorLike, pluginError } from './errors.ts'

/** How long an instance may take to close before the server goes on without it. */
export const CLOSE_PATIENCE_MS = 10_000
/** Lines that one instance gets for what it does wrong. */
const MAX_COMPLAINTS = 20

export interface GuardOptions {
  readonly inner: Instance
  /** `instance 'I' of backend 'B'`, for messages. */
  readonly what: string
  readonly types: OutputTypes
  /** 0 = any time. */
  readonly executionTimeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

/** One execution. Late calls find it over, and touch nothing that came after it. */
interface Run {
  readonly done: BatchDone
  readonly batch: Batch
  readonly given: ExecutionMarks
  readonly marks: ExecutionMarks
  /** When it began, or a decoupled model last sent something. */
  sinceNs: number
  /** It was answered. */
  over: boolean
  /** Decoupled models only: requests without their final answer, by index. */
  readonly open: Set<number> | null
  readonly answers: DecoupledAnswers | null
}

/**
 * An instance of a plug-in as the schedulers may rely on it: it answers each batch exactly once, in time, with what is an
 * answer, and never throws.
 */
export class GuardedInstance implements Instance {
  readonly #options: GuardOptions
  #run: Run | null = null
  /** An execution that was given up and has not come back: the instance takes nothing until it does. */
  #lost: Run | null = null
  /** Executions that are over and whose answers still come. */
  readonly #streams: Set<Run> = new Set()
  #stopWatch: (() => void) | null = null
  #complaints = 0
  #closing: Promise<void> | null = null

  constructor(options: GuardOptions) {
    this.#options = options
  }

  get ready(): boolean {
    return this.#lost === null && this.#options.inner.ready !== false
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    const { inner, what, clock } = this.#options
    if (this.#closing !== null || this.#run !== null || this.#lost !== null) {
      const why =
        this.#lost !== null ? 'is still in an execution that took too long' : 'is closed or busy'
      done(new ServerError('UNAVAILABLE', `${what} ${why}`))
      return
    }
    const run: Run = {
      done,
      batch,
      given: { inputEndNs: 0, outputStartNs: 0 },
      marks,
      sinceNs: clock.now(),
      over: false,
      open: answers === null ? null : new Set(batch.requests.keys()),
      answers,
    }
    this.#run = run
    this.#watch()
    try {
      const finish = (result: unknown): void => this.#finish(run, result)
      const sent = answers === null ? null : this.#answers(run, answers)
      const returned: unknown = inner.execute(batch, run.given, finish, sent)
      if (returned instanceof Promise) returned.catch(finish)
    } catch (error) {
      this.#finish(run, asError(error))
    }
  }

  terminate(): void {
    this.#tell('terminate', () => this.#options.inner.terminate?.())
  }

  cancelled(request: InferRequest): void {
    this.#tell('cancelled', () => this.#options.inner.cancelled?.(request))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { inner, what, log, clock } = this.#options
    await withinPatience(() => inner.close(), { what: `${what}: close`, log, clock })
    const run = this.#run
    if (run !== null) this.#finish(run, new ServerError('UNAVAILABLE', `${what} was closed`))
    for (const stream of [...this.#streams]) this.#endStream(stream, `${what} was closed`)
    this.#stopWatch?.()
  }

  #finish(run: Run, result: unknown): void {
    if (run.over) {
      this.#late(run, result)
      return
    }
    run.over = true
    this.#run = null
    const { what, types, clock } = this.#options
    copyMarks(run.given, run.marks, clock.now())
    if (isErrorLike(result)) {
      run.done(pluginError(result, what))
      return
    }
    let answer: BatchResult | ServerError
    try {
      answer = checkedResult(result, run.batch, types)
    } catch (error) {
      answer = this.#nonsense(error)
    }
    if (run.open !== null && run.open.size > 0 && !(answer instanceof ServerError)) {
      this.#streams.add(run)
      this.#watch()
    }
    run.done(answer)
  }

  #nonsense(error: unknown): ServerError {
    const text = messageOf(error)
    this.#complain(text)
    return new ServerError('INTERNAL', `${this.#options.what}: ${text}`)
  }

  #late(run: Run, result: unknown): void {
    if (run === this.#lost) {
      this.#lost = null
      this.#options.log.warning(
        `${this.#options.what} is back after an execution that took too long`,
      )
    } else this.#complain('it answered a batch twice')
    if (typeof result !== 'object' || result === null || !('release' in result)) return
    const { release } = result
    if (typeof release === 'function') this.#tell('release', () => release.call(result))
  }

  #answers(run: Run, answers: DecoupledAnswers): DecoupledAnswers {
    const { what, types, clock } = this.#options
    return {
      send: (index, given: unknown, final) => {
        if (!Number.isInteger(index) || index < 0 || index >= run.batch.requests.length) {
          this.#complain(`it sent an answer for request ${String(index)} of a batch without it`)
          return
        }
        run.sinceNs = clock.now()
        if (final === true && run.open?.delete(index) && run.open.size === 0) {
          this.#streams.delete(run)
        }
        if (given === null || given === undefined) answers.send(index, null, final === true)
        else if (isErrorLike(given)) answers.send(index, pluginError(given, what), final === true)
        else {
          let answer: InferResponse | ServerError
          try {
            answer = checkedResponse(given, types)
          } catch (error) {
            answer = this.#nonsense(error)
          }
          answers.send(index, answer, final === true)
        }
      },
    }
  }

  /** One timer for all executions: it looks at those in progress when it fires. */
  #watch(): void {
    const { executionTimeoutMs, clock } = this.#options
    if (executionTimeoutMs === 0 || this.#stopWatch !== null) return
    const limitNs = executionTimeoutMs * 1e6
    const look = (): void => {
      this.#stopWatch = null
      const nowNs = clock.now()
      let nextNs = Number.POSITIVE_INFINITY
      const watched = this.#run === null ? [...this.#streams] : [this.#run, ...this.#streams]
      for (const run of watched) {
        // Whoever waits for a client is not late.
        if (run.open !== null && isCongested(run)) run.sinceNs = nowNs
        const leftNs = run.sinceNs + limitNs - nowNs
        if (leftNs > 0) nextNs = Math.min(nextNs, leftNs)
        else if (run.over) this.#fallenSilent(run)
        else this.#giveUp(run)
      }
      if (Number.isFinite(nextNs) && this.#stopWatch === null) {
        this.#stopWatch = clock.after(nextNs, look)
      }
    }
    this.#stopWatch = clock.after(limitNs, look)
  }

  #fallenSilent(run: Run): void {
    const { what, executionTimeoutMs, log } = this.#options
    const text = `${what}: it sent nothing for longer than execution_timeout_ms, which is ${executionTimeoutMs}`
    log.error(text)
    this.#endStream(run, text)
  }

  /** Answers requests of a decoupled model that nobody else will answer any more. */
  #endStream(run: Run, text: string): void {
    this.#streams.delete(run)
    const error = new ServerError('UNAVAILABLE', text)
    for (const index of run.open ?? []) run.answers?.send(index, error, true)
    run.open?.clear()
  }

  #giveUp(run: Run): void {
    const { what, executionTimeoutMs, log } = this.#options
    this.#lost = run
    const text = `${what}: it ran longer than execution_timeout_ms, which is ${executionTimeoutMs}`
    log.error(text)
    this.#finish(run, new ServerError('UNAVAILABLE', text))
    this.terminate()
  }

  #tell(what: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#complain(`${what} threw: ${messageOf(error)}`)
    }
  }

  /** The first few are worth a line, not each of a million. */
  #complain(text: string): void {
    if (++this.#complaints > MAX_COMPLAINTS) return
    const last = this.#complaints === MAX_COMPLAINTS ? ' (further ones are not logged)' : ''
    this.#options.log.error(`${this.#options.what}: ${text}${last}`)
  }
}

function isCongested({ batch, open }: Run): boolean {
  for (const index of open ?? []) if (batch.requests[index]?.congested === true) return true
  return false
}

const asError = (thrown: unknown): unknown =>
  isErrorLike(thrown) ? thrown : new Error(String(thrown))

/** Times that a plug-in made up would spoil the statistics. */
function copyMarks(given: ExecutionMarks, marks: ExecutionMarks, nowNs: number): void {
  const startNs = marks.startNs ?? 0
  const { inputEndNs, outputStartNs } = given
  const fits = inputEndNs >= startNs && outputStartNs >= inputEndNs && nowNs >= outputStartNs
  marks.inputEndNs = fits ? inputEndNs : 0
  marks.outputStartNs = fits ? outputStartNs : 0
}

/** Runs something that should end soon. Never rejects; what went wrong is logged. */
export async function withinPatience(
  run: () => unknown,
  { what, log, clock }: { readonly what: string; readonly log: Log; readonly clock: Clock },
): Promise<void> {
  let cancel = (): void => {}
  const patience = new Promise<'late'>((resolve) => {
    cancel = clock.after(CLOSE_PATIENCE_MS * 1e6, () => resolve('late'))
  })
  try {
    if ((await Promise.race([run(), patience])) === 'late') {
      log.error(`${what} did not end within ${CLOSE_PATIENCE_MS / 1000} s, it is left alone`)
    }
  } catch (error) {
    log.error(`${what} failed: ${messageOf(error)}`)
  } finally {
    cancel()
  }
}
