import type { Batch, BatchResult, ExecutionMarks, Instance } from '../backend/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { InferRequest, InferResponse, RequestTrace } from '../infer.ts'
import type { Clock, Log } from '../platform.ts'
import { addComputeTimes, type ModelStats, type RequestTimes } from '../stats.ts'
import { fitResponse } from './fit-response.ts'
import type { OrderedAnswers } from './ordered-answers.ts'
import type { OutputPlan } from './output-plan.ts'
import { cancelled } from './refusal.ts'
import { splitResult, wholeResult } from './split-result.ts'

/** Runs batches on one instance, one at a time, answers their requests and counts them. */
export interface Runner {
  /** `requests` has one or more entries, none cancelled; the runner keeps the array until the batch is done. */
  run(requests: readonly InferRequest[], size: number, nowNs: number): void
  /** {@link run} with one request. */
  runOne(request: InferRequest, nowNs: number): void
  /** Requests whose answers still come although the instance may be free: decoupled models only, else 0. */
  readonly open: number
  /** Whether the instance takes batches now, as far as it says. */
  readonly ready: boolean
}

/** Whether nothing that ran on `runners` still waits for answers. */
export function allAnswered(runners: readonly Runner[]): boolean {
  for (const runner of runners) if (runner.open > 0) return false
  return true
}

export interface RunnerOptions {
  readonly instance: Instance
  readonly outputs: OutputPlan
  readonly stats: ModelStats
  readonly clock: Clock
  readonly log: Log
  /** `model 'M' version V`, for log lines. */
  readonly what: string
  readonly ordered: OrderedAnswers | null
  /** The batch was answered and the instance is free; may come before `run` returns. */
  readonly onIdle: (runner: Runner) => void
  /** A request had its final answer after its execution was over: decoupled models only. */
  readonly onAnswered?: () => void
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Records are made once per runner and used for every batch, so a request alone costs no allocation here. An instance
 * that is done before `execute` returns is answered after it returned: nothing it still holds is changed under it.
 */
export function createRunner(options: RunnerOptions): Runner {
  const { instance, outputs: plan, stats, clock, log, ordered } = options
  const single: InferRequest[] = []
  const batch: Mutable<Batch> = { requests: single, size: 0 }
  const marks: Required<ExecutionMarks> = {
    startNs: 0,
    device: -1,
    inputEndNs: 0,
    outputStartNs: 0,
  }
  const times: Mutable<RequestTimes> = {
    requestNs: 0,
    queueNs: 0,
    computeInputNs: 0,
    computeInferNs: 0,
    computeOutputNs: 0,
  }
  // Whether outputs can be what the model gave.
  const passable = plan.scatters === null && plan.trims === null
  let place = 0
  let cancelCount = 0
  let running = false
  let executing = false
  let early: BatchResult | ServerError | null = null

  const onCancel = (): void => {
    cancelCount++
    if (running && cancelCount === batch.requests.length) instance.terminate?.()
  }
  const done = (result: BatchResult | ServerError): void => {
    if (!running) return
    if (executing) early ??= result
    else finish(result)
  }
  const start = (nowNs: number): void => {
    marks.startNs = nowNs
    marks.device = -1
    marks.inputEndNs = 0
    marks.outputStartNs = 0
    cancelCount = 0
    if (ordered !== null) place = ordered.reserve(batch.requests.length)
    running = true
    executing = true
    early = null
    try {
      instance.execute(batch, marks, done)
    } catch (error) {
      early ??= broken('execute threw', error)
    }
    executing = false
    if (early !== null) finish(early)
  }
  const broken = (what: string, error: unknown): ServerError => {
    const known = ServerError.from(error)
    log.error(`${options.what}: ${what}: ${messageOf(known)}`)
    return known
  }
  const finish = (result: BatchResult | ServerError): void => {
    running = false
    early = null
    const endNs = clock.now()
    if (result instanceof ServerError) fail(result, endNs)
    else succeed(result, endNs)
    // Requests hold their clients' bytes: let go of them while the instance is idle.
    single.length = 0
    batch.requests = single
    options.onIdle(runner)
  }
  const fail = (error: ServerError, endNs: number): void => {
    for (let i = 0; i < batch.requests.length; i++) {
      const request = batch.requests[i] as InferRequest
      if (request.settled) continue
      countFailure(request, endNs)
      if (request.trace !== null) traceExecution(request.trace, marks, endNs)
      answer(i, request, request.cancelled ? cancelled() : error)
    }
  }
  const succeed = (result: BatchResult, endNs: number): void => {
    if (result.answers !== undefined) {
      separate(result.answers, result, endNs)
      return
    }
    const { requests, size } = batch
    const request = requests[0] as InferRequest
    let whole: InferResponse | null = null
    let parts: readonly InferResponse[] = []
    try {
      if (requests.length === 1) {
        const asGiven = result.asGiven === true && passable
        whole = asGiven
          ? fitResponse(request, result, plan)
          : wholeResult(request, size, result, plan)
      } else parts = splitResult(batch, result, plan)
    } catch (error) {
      result.release?.()
      fail(broken('outputs do not fit the batch', error), endNs)
      return
    }
    count(endNs, result.again)
    if (whole !== null && result.again?.includes(request) !== true) answer(0, request, whole)
    for (let i = 0; i < parts.length; i++) {
      const one = requests[i] as InferRequest
      if (result.again?.includes(one) !== true) answer(i, one, parts[i] as InferResponse)
    }
  }
  /** Each request gets an answer of its own. */
  const separate = (
    answers: readonly (InferResponse | ServerError)[],
    { again = [], asGiven = false }: BatchResult,
    endNs: number,
  ): void => {
    const passOn = asGiven && passable
    const uncounted: InferRequest[] = [...again]
    const fitting = batch.requests.map((request, i): InferResponse | ServerError => {
      const given = answers[i] ?? new ServerError('INTERNAL', 'the model gave no answer')
      try {
        if (!(given instanceof ServerError)) {
          if (passOn) return fitResponse(request, given, plan)
          const fit = wholeResult(request, request.batchSize, given, plan)
          return given.parameters === undefined ? fit : { ...fit, parameters: given.parameters }
        }
      } catch (error) {
        return broken('outputs do not fit the request', error)
      }
      return given
    })
    for (let i = 0; i < fitting.length; i++) {
      const request = batch.requests[i] as InferRequest
      if (request.settled || !(fitting[i] instanceof ServerError)) continue
      if (again.includes(request)) continue
      uncounted.push(request)
      countFailure(request, endNs)
    }
    count(endNs, uncounted)
    for (let i = 0; i < fitting.length; i++) {
      const request = batch.requests[i] as InferRequest
      if (!again.includes(request)) answer(i, request, fitting[i] as InferResponse | ServerError)
    }
  }
  const countFailure = (request: InferRequest, endNs: number): void => {
    const reason = request.cancelled ? 'CANCELED' : 'BACKEND'
    stats.recordFailure(reason, endNs - request.startNs)
    deviceStats(stats, marks)?.recordFailure(reason, endNs - request.startNs)
  }
  const count = (endNs: number, again: readonly InferRequest[] | undefined): void => {
    const { startNs } = marks
    const inputEndNs = marks.inputEndNs === 0 ? startNs : marks.inputEndNs
    const outputStartNs = marks.outputStartNs === 0 ? endNs : marks.outputStartNs
    times.computeInputNs = inputEndNs - startNs
    times.computeInferNs = outputStartNs - inputEndNs
    times.computeOutputNs = endNs - outputStartNs
    const epochMs = clock.epochMs()
    const device = deviceStats(stats, marks)
    for (const request of batch.requests) {
      // A row that only fills a slot was never anybody's request; one that runs again counts with its last run.
      if (request.settled || again?.includes(request) === true) continue
      times.requestNs = endNs - request.startNs
      times.queueNs = startNs - request.queuedNs
      stats.recordSuccess(request.batchSize, epochMs, times)
      device?.recordSuccess(request.batchSize, epochMs, times)
      if (request.composing !== null) addComputeTimes(request.composing, times)
      if (request.trace !== null) traceExecution(request.trace, marks, endNs)
    }
    const { computeInputNs, computeInferNs, computeOutputNs } = times
    stats.recordExecution(batch.size, computeInputNs, computeInferNs, computeOutputNs)
    device?.recordExecution(batch.size, computeInputNs, computeInferNs, computeOutputNs)
  }
  const answer = (
    index: number,
    request: InferRequest,
    given: InferResponse | ServerError,
  ): void => {
    if (ordered !== null) {
      ordered.answer(place + index, request, given, true)
      return
    }
    try {
      request.respond(given)
    } catch (error) {
      broken('an answer was not taken', error)
    }
  }

  const runner: Runner = {
    open: 0,
    get ready() {
      return instance.ready !== false
    },
    run(requests, size, nowNs) {
      batch.requests = requests
      batch.size = size
      for (const request of requests) request.onCancel = onCancel
      start(nowNs)
    },
    runOne(request, nowNs) {
      single[0] = request
      batch.size = request.batchSize
      request.onCancel = onCancel
      start(nowNs)
    },
  }
  return runner
}

/** What is counted of the GPU that something ran on; null = it ran on none. */
export function deviceStats(
  stats: ModelStats,
  { device }: Required<ExecutionMarks>,
): ModelStats | null {
  return device < 0 ? null : (stats.devices.get(device) ?? null)
}

/** What `marks` say, for a request that is traced. */
export function traceExecution(
  trace: RequestTrace,
  { startNs, inputEndNs, outputStartNs }: Required<ExecutionMarks>,
  endNs: number,
): void {
  trace.executed(startNs, inputEndNs, outputStartNs, endNs)
}
