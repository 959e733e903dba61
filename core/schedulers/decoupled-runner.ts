import type { BatchResult } from '../backend/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import { addComputeTimes } from '../stats.ts'
import { type Flight, type FlightOwner, newFlight, type Strand } from './decoupled-flight.ts'
import { deviceStats, type Runner, type RunnerOptions, traceExecution } from './execute.ts'
import { fitResponse } from './fit-response.ts'
import { cancelled } from './refusal.ts'
import { splitResult } from './split-result.ts'

/**
 * The runner of decoupled models. Its instance is free when it says so, while requests of its earlier batches may still get
 * answers: they count as {@link Runner.open} until their final one.
 */
export function createDecoupledRunner(options: RunnerOptions): Runner {
  const { instance, outputs: plan, stats, clock, log, ordered } = options
  let open = 0
  let cancelledOpen = 0
  let executing: Flight | null = null
  let inside = false
  let early: BatchResult | ServerError | null = null

  const broken = (what: string, error: unknown): ServerError => {
    const known = ServerError.from(error)
    log.error(`${options.what}: ${what}: ${messageOf(known)}`)
    return known
  }
  const onCancel = (request: InferRequest): void => {
    cancelledOpen++
    if (instance.cancelled !== undefined) instance.cancelled(request)
    else if (cancelledOpen === open) instance.terminate?.()
  }
  const start = (requests: readonly InferRequest[], size: number, nowNs: number): void => {
    const first = ordered === null ? 0 : ordered.reserve(requests.length)
    const flight = newFlight({ owner, requests, size, nowNs, first })
    for (const strand of flight.strands) {
      // A row that only fills a slot was never anybody's request.
      if (strand.ended) continue
      strand.request.onCancel = onCancel
      open++
    }
    executing = flight
    early = null
    inside = true
    try {
      instance.execute(flight, flight.marks, (result) => done(flight, result), flight)
    } catch (error) {
      early ??= broken('execute threw', error)
    }
    inside = false
    if (early !== null) finish(flight, early)
  }
  const done = (flight: Flight, result: BatchResult | ServerError): void => {
    if (executing !== flight) return
    if (inside) early ??= result
    else finish(flight, result)
  }
  const finish = (flight: Flight, result: BatchResult | ServerError): void => {
    executing = null
    early = null
    if (result instanceof ServerError) fail(flight, result)
    else succeed(flight, result)
    options.onIdle(runner)
  }
  const fail = (flight: Flight, error: ServerError): void => {
    for (const strand of flight.strands) if (!strand.ended) answer(flight, strand, error, true)
  }
  const succeed = (flight: Flight, result: BatchResult): void => {
    const endNs = clock.now()
    const { marks } = flight
    const { startNs } = marks
    const inputEndNs = inputEnd(flight)
    const outputStartNs = marks.outputStartNs === 0 ? endNs : marks.outputStartNs
    const inputNs = inputEndNs - startNs
    const inferNs = outputStartNs - inputEndNs
    const outputNs = endNs - outputStartNs
    stats.recordExecution(flight.size, inputNs, inferNs, outputNs)
    deviceStats(stats, marks)?.recordExecution(flight.size, inputNs, inferNs, outputNs)
    for (const request of result.again ?? []) {
      const strand = flight.strands.find((one) => one.request === request)
      if (strand !== undefined && !strand.ended) leave(strand)
    }
    if (result.outputs.some((output) => plan.names.includes(output.name))) whole(flight, result)
    else result.release?.()
  }
  /** An instance that knows nothing of many answers gives each request its only one. */
  const whole = (flight: Flight, result: BatchResult): void => {
    let parts: readonly InferResponse[]
    try {
      parts = splitResult(flight, result, plan)
    } catch (error) {
      result.release?.()
      fail(flight, broken('outputs do not fit the batch', error))
      return
    }
    for (let i = 0; i < parts.length; i++) {
      const strand = flight.strands[i] as Strand
      if (strand.ended) parts[i]?.release?.()
      else answer(flight, strand, parts[i] as InferResponse, true)
    }
  }
  const leave = (strand: Strand): void => {
    strand.ended = true
    open--
    if (strand.request.cancelled) cancelledOpen--
    strand.request.onCancel = null
  }
  const answer = (
    flight: Flight,
    strand: Strand,
    given: InferResponse | ServerError | null,
    final: boolean,
  ): void => {
    const { request } = strand
    const nowNs = clock.now()
    const inferNs = nowNs - strand.lastNs
    const index = strand.index++
    if (index === 0 && given !== null) stats.firstResponse?.add(nowNs - request.startNs)
    let passed = given
    if (given instanceof ServerError) {
      strand.failed = true
      if (final && request.cancelled) passed = cancelled()
    }
    if (final) {
      count(flight, strand, passed, nowNs)
      leave(strand)
    }
    pass(strand, passed, final)
    strand.lastNs = clock.now()
    const outputNs = strand.lastNs - nowNs
    strand.outputNs += outputNs
    stats.recordResponse(index, outcome(passed), inferNs, outputNs)
    if (final && executing !== flight) options.onAnswered?.()
  }
  const pass = (
    { place, request }: Strand,
    given: InferResponse | ServerError | null,
    final: boolean,
  ): void => {
    try {
      const fit =
        given === null || given instanceof ServerError ? given : fitResponse(request, given, plan)
      if (ordered !== null) ordered.answer(place, request, fit, final)
      else request.respond(fit, final)
    } catch (error) {
      broken('an answer was not taken', error)
    }
  }
  const count = (
    flight: Flight,
    strand: Strand,
    last: InferResponse | ServerError | null,
    nowNs: number,
  ): void => {
    const { request } = strand
    const requestNs = nowNs - request.startNs
    const device = deviceStats(stats, flight.marks)
    if (request.trace !== null) traceExecution(request.trace, flight.marks, nowNs)
    if (strand.failed) {
      const left = request.cancelled || (last instanceof ServerError && last.code === 'CANCELLED')
      const reason = left ? 'CANCELED' : 'BACKEND'
      stats.recordFailure(reason, requestNs)
      device?.recordFailure(reason, requestNs)
      return
    }
    const inputEndNs = inputEnd(flight)
    const times = {
      requestNs,
      queueNs: flight.marks.startNs - request.queuedNs,
      computeInputNs: inputEndNs - flight.marks.startNs,
      computeInferNs: Math.max(0, nowNs - inputEndNs - strand.outputNs),
      computeOutputNs: strand.outputNs,
    }
    const epochMs = clock.epochMs()
    stats.recordSuccess(request.batchSize, epochMs, times)
    device?.recordSuccess(request.batchSize, epochMs, times)
    if (request.composing !== null) addComputeTimes(request.composing, times)
  }
  const owner: FlightOwner = { answer }

  const runner: Runner = {
    get open() {
      return open
    },
    get ready() {
      return instance.ready !== false
    },
    run: start,
    runOne: (request, nowNs) => start([request], request.batchSize, nowNs),
  }
  return runner
}

function inputEnd({ marks }: Flight): number {
  return marks.inputEndNs === 0 ? marks.startNs : marks.inputEndNs
}

function outcome(
  answer: InferResponse | ServerError | null,
): 'success' | 'fail' | 'emptyResponse' | 'cancel' {
  if (answer === null) return 'emptyResponse'
  if (!(answer instanceof ServerError)) return 'success'
  return answer.code === 'CANCELLED' ? 'cancel' : 'fail'
}
