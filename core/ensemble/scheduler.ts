import type { ModelConfig } from '../config/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Clock, Log } from '../platform.ts'
import { admit } from '../schedulers/admission.ts'
import { createDrain } from '../schedulers/drain.ts'
import { refuse } from '../schedulers/refusal.ts'
import type { Scheduler } from '../schedulers/types.ts'
import { addComputeTimes, type ModelStats } from '../stats.ts'
import { createAnswerMaker } from './answer.ts'
import { createGraph, partFor } from './graph.ts'
import { createStepResolver, type ResolvedStep } from './resolved-steps.ts'
import { EnsembleRun, type RunContext } from './run.ts'
import { createStepGate, DEFAULT_MAX_INFLIGHT_REQUESTS } from './step-gate.ts'
import type { StepModels } from './types.ts'

export interface EnsembleSchedulerOptions {
  /** Complete, normalized and checked against the composing models. */
  readonly config: ModelConfig
  readonly models: StepModels
  readonly stats: ModelStats
  readonly clock: Clock
  readonly log: Log
}

export interface EnsembleScheduler extends Scheduler {
  /** Whether all steps have a model to run on. */
  readonly runnable: boolean
}

/** Runs requests through the steps of an ensemble. */
export function createEnsembleScheduler(options: EnsembleSchedulerOptions): EnsembleScheduler {
  const { config, models, stats, clock, log } = options
  const graph = createGraph(config)
  const whole = partFor(graph, null)
  const resolve = createStepResolver(graph, models)
  const limit = config.ensemble_scheduling?.max_inflight_requests || DEFAULT_MAX_INFLIGHT_REQUESTS
  let running = 0

  const wrap = (error: ServerError): ServerError =>
    new ServerError(error.code, `in ensemble '${config.name ?? ''}', ${error.message}`, {
      ...(error.cause === undefined ? {} : { cause: error.cause }),
      retryAfterSecs: error.retryAfterSecs,
    })
  const context: RunContext = {
    graph,
    batches: (config.max_batch_size ?? 0) > 0,
    decoupled: config.model_transaction_policy?.decoupled === true,
    gates: graph.steps.map(() => createStepGate({ limit, clock })),
    answer: createAnswerMaker(config),
    clock,
    log,
    wrap,
    responding({ request }) {
      stats.firstResponse?.add(clock.now() - request.startNs)
    },
    ended(run, error) {
      count(run, error)
      for (const step of run.steps) step.runs.drop()
      running--
      drain.check()
    },
  }
  const count = ({ request, startNs, times }: EnsembleRun, error: ServerError | null): void => {
    const nowNs = clock.now()
    const requestNs = nowNs - request.startNs
    if (error !== null) {
      stats.recordFailure(request.cancelled ? 'CANCELED' : 'OTHER', requestNs)
      return
    }
    const queueNs = startNs - request.queuedNs
    stats.recordSuccess(request.batchSize, clock.epochMs(), { requestNs, queueNs, ...times })
    const { computeInputNs, computeInferNs, computeOutputNs } = times
    stats.recordExecution(request.batchSize, computeInputNs, computeInferNs, computeOutputNs)
    if (request.composing !== null) addComputeTimes(request.composing, times)
  }
  const drain = createDrain({ empty: () => running === 0 })

  const begin = (request: InferRequest, nowNs: number): void => {
    let steps: readonly ResolvedStep[]
    try {
      steps = resolve()
    } catch (error) {
      const known = ServerError.from(error)
      if (known.cause !== undefined) log.error(`ensemble '${config.name}': ${messageOf(known)}`)
      refuse({ request, error: wrap(known), reason: 'OTHER', stats, nowNs })
      return
    }
    for (const step of steps) step.runs.hold()
    running++
    const part = request.outputs === null ? whole : partFor(graph, request.outputs)
    new EnsembleRun(context, request, part, steps).start()
  }

  return {
    get runnable() {
      try {
        return resolve().every((step) => step.runs.ready)
      } catch {
        return false
      }
    },
    get pending() {
      let waiting = 0
      for (const gate of context.gates) waiting += gate.waiting
      return waiting
    },
    submit(request) {
      const nowNs = clock.now()
      if (admit(request, nowNs, drain.draining, stats)) begin(request, nowNs)
    },
    close: () => drain.close(),
  }
}
