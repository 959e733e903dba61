import { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import type { Clock, Log } from '../platform.ts'
import { cancelled } from '../schedulers/refusal.ts'
import type { ComputeTimes } from '../stats.ts'
import type { AnswerMaker } from './answer.ts'
import { holds } from './condition.ts'
import type { EnsembleGraph, GraphPart } from './graph.ts'
import { leaseOf } from './lease.ts'
import type { ResolvedStep } from './resolved-steps.ts'
import { markOf, overridden, type SequenceMark } from './sequence-mark.ts'
import { StepCall, type StepCaller } from './step-call.ts'
import type { StepGate } from './step-gate.ts'
import { abandon, take, type Value, type Wave } from './wave.ts'

/** What all requests of an ensemble share. */
export interface RunContext {
  readonly graph: EnsembleGraph
  /** Whether the ensemble itself has a batch dimension. */
  readonly batches: boolean
  readonly decoupled: boolean
  /** By step. */
  readonly gates: readonly StepGate[]
  readonly answer: AnswerMaker
  readonly clock: Clock
  readonly log: Log
  /** Called once, before the first response. */
  readonly responding: (run: EnsembleRun) => void
  /** Called once, when the last step has ended, before the request gets its final answer. */
  readonly ended: (run: EnsembleRun, error: ServerError | null) => void
  /** Words an error as the ensemble's own. */
  readonly wrap: (error: ServerError) => ServerError
}

interface ReadyStep {
  readonly step: ResolvedStep
  readonly wave: Wave
}

/**
 * One request on its way through the steps. A step starts as soon as its tensors are there; when one fails, or the client
 * leaves, no more are started, and the answer goes out when those that run have ended.
 */
export class EnsembleRun implements StepCaller {
  readonly request: InferRequest
  readonly steps: readonly ResolvedStep[]
  readonly mark: SequenceMark
  readonly startNs: number
  /** Compute times of all steps together. */
  readonly times: ComputeTimes = { computeInputNs: 0, computeInferNs: 0, computeOutputNs: 0 }
  readonly #context: RunContext
  readonly #part: GraphPart
  readonly #waves = new Map<number, Wave>()
  /** Responses that each decoupled step gave so far. */
  readonly #given: number[]
  readonly #active = new Set<StepCall>()
  /** Steps that have their tensors and were not started yet. */
  #ready: ReadyStep[] = []
  /** Waves whose outputs are all there. */
  readonly #complete: Wave[] = []
  #responses = 0
  #error: ServerError | null = null
  #pumping = false
  #ended = false

  constructor(
    context: RunContext,
    request: InferRequest,
    part: GraphPart,
    steps: readonly ResolvedStep[],
  ) {
    this.#context = context
    this.#part = part
    this.request = request
    this.steps = steps
    this.mark = markOf(request)
    this.startNs = context.clock.now()
    this.#given = context.decoupled ? new Array(steps.length).fill(0) : []
  }

  start(): void {
    const { graph, batches } = this.#context
    const { request } = this
    request.onCancel = this.#cancel
    if (this.#context.decoupled) request.onWritable = this.#writable
    const wave = this.#wave(0)
    const rows = batches ? request.batchSize : 0
    const given: boolean[] = []
    for (const tensor of request.inputs) {
      const slot = graph.slotOf.get(tensor.name) as number
      given[slot] = true
      this.#set(wave, slot, { tensor, rows, lease: null, mark: null, uses: 0 })
    }
    for (const slot of graph.optionalInputs) {
      if (given[slot] === true) continue
      this.#set(wave, slot, { tensor: null, rows, lease: null, mark: null, uses: 0 })
    }
    this.#pump()
  }

  answered(call: StepCall, answer: InferResponse | ServerError | null, final: boolean): void {
    if (answer instanceof ServerError) this.#fail(answer)
    else if (answer !== null) this.#deliver(call, answer)
    if (final) {
      this.#active.delete(call)
      call.dropInputs()
    }
    this.#pump()
    // Last: whoever is let in may answer at once.
    if (final) this.#context.gates[call.step.index]?.leave()
  }

  admitted(call: StepCall): void {
    call.step.runs.submit(call.request)
  }

  refused(call: StepCall, error: ServerError): void {
    this.#fail(error)
    this.#active.delete(call)
    call.dropInputs()
    this.#pump()
  }

  conflict(step: ResolvedStep, { id, start, end }: SequenceMark): void {
    this.#context.log.error(
      `${this.request.logPrefix}Different set of response parameters are set for '${step.model}'. Parameter correlation ID ${id}, flags ${(start ? 1 : 0) + (end ? 2 : 0)} is used.`,
    )
  }

  readonly #writable = (): void => {
    for (const call of this.#active) call.request.onWritable?.()
  }

  readonly #cancel = (): void => {
    this.#fail(cancelled())
    for (const call of this.#active) call.request.cancel()
    this.#pump()
  }

  /** The first error is the request's. Steps that wait for their turn give up. */
  #fail(error: ServerError): void {
    if (this.#error !== null) return
    this.#error = error
    for (const call of this.#active) {
      if (this.#context.gates[call.step.index]?.withdraw(call) !== true) continue
      this.#active.delete(call)
      call.dropInputs()
    }
  }

  #wave(index: number): Wave {
    let wave = this.#waves.get(index)
    if (wave === undefined) {
      const { slots, steps } = this.#context.graph
      wave = {
        values: new Array(slots).fill(undefined),
        waits: steps.map((step) => step.slots.length),
        outputsLeft: this.#part.outputs.length,
      }
      this.#waves.set(index, wave)
    }
    return wave
  }

  #set(wave: Wave, slot: number, value: Value): void {
    const { readers, wanted } = this.#part
    const reading = readers[slot] as readonly number[]
    value.uses = reading.length + (wanted[slot] === true ? 1 : 0)
    if (value.uses === 0) return
    for (let i = 0; i < value.uses; i++) value.lease?.take()
    wave.values[slot] = value
    for (const index of reading) {
      const left = (wave.waits[index] as number) - 1
      wave.waits[index] = left
      if (left === 0) this.#ready.push({ step: this.steps[index] as ResolvedStep, wave })
    }
    if (wanted[slot] === true && --wave.outputsLeft === 0) this.#complete.push(wave)
  }

  /** Hands the tensors of a response to whoever needs them. */
  #deliver(call: StepCall, response: InferResponse): void {
    if (this.#error !== null) {
      response.release?.()
      return
    }
    const { step } = call
    let mark: SequenceMark
    try {
      mark = overridden(call.mark, response.parameters)
    } catch (error) {
      response.release?.()
      this.#fail(ServerError.from(error))
      return
    }
    const rows = step.batches ? call.request.batchSize : 0
    const lease = leaseOf(response, call.held)
    const wave = this.#target(call)
    for (const port of step.outputs) {
      const tensor = response.outputs.find((output) => output.name === port.name) ?? null
      this.#set(wave, port.slot, { tensor, rows, lease, mark, uses: 0 })
    }
    lease?.drop()
  }

  /** The wave of a response: that of its request, or the next one of a decoupled step. */
  #target(call: StepCall): Wave {
    const { index, decoupled } = call.step
    if (!decoupled) return call.wave
    const given = this.#given[index] ?? 0
    this.#given[index] = given + 1
    return this.#wave(given)
  }

  /** Starts what is ready. Steps that answer at once make more ready: one loop takes them all, however long the chain. */
  #pump(): void {
    if (this.#pumping || this.#ended) return
    this.#pumping = true
    for (let at = 0; at < this.#ready.length; at++) {
      const { step, wave } = this.#ready[at] as ReadyStep
      if (this.#error !== null) continue
      if (this.#context.graph.conditional && !runs(step, wave)) this.#skip(step, wave)
      else this.#launch(step, wave)
    }
    this.#ready = []
    this.#pumping = false
    this.#settle()
  }

  /** Its outputs are left out. */
  #skip(step: ResolvedStep, wave: Wave): void {
    for (const slot of step.slots) take(wave, slot).lease?.drop()
    const rows = step.batches ? this.request.batchSize : 0
    for (const { slot } of step.outputs) {
      this.#set(wave, slot, { tensor: null, rows, lease: null, mark: null, uses: 0 })
    }
  }

  #launch(step: ResolvedStep, wave: Wave): void {
    const call = new StepCall(this, step, wave)
    call.request.composing = this.times
    try {
      step.runs.check(call.request)
    } catch (error) {
      call.dropInputs()
      this.#fail(ServerError.from(error))
      return
    }
    this.#active.add(call)
    if (this.#context.gates[step.index]?.enter(call) === true) step.runs.submit(call.request)
  }

  /** Answers what is complete, and ends when nothing runs any more. */
  #settle(): void {
    const { decoupled, answer } = this.#context
    while (this.#error === null && this.#complete.length > 0) {
      const ending = this.#active.size === 0 && this.#complete.length === 1
      if (!decoupled && !ending) break
      if (this.#responses++ === 0) this.#context.responding(this)
      const response = answer(this.request, this.#part.outputs, this.#complete.shift() as Wave)
      if (ending) this.#end(null, response)
      else this.request.respond(response, false)
    }
    if (this.#ended || this.#active.size > 0) return
    if (this.#error === null && !decoupled) this.#error = this.#deadlock()
    this.#end(this.#error, null)
  }

  #deadlock(): ServerError {
    return new ServerError(
      'INVALID_ARG',
      `${this.request.logPrefix}unexpected deadlock, at least one output is not set while no more ensemble steps can be made`,
    )
  }

  #end(error: ServerError | null, response: InferResponse | null): void {
    if (this.#ended) return
    this.#ended = true
    for (const wave of this.#waves.values()) abandon(wave)
    this.#waves.clear()
    this.#context.ended(this, error)
    this.request.respond(error === null ? response : this.#context.wrap(error), true)
  }
}

/** Whether a step has what it needs and its conditions hold. */
function runs({ required, conditions }: ResolvedStep, { values }: Wave): boolean {
  for (const slot of required) if (values[slot]?.tensor === null) return false
  for (const condition of conditions) {
    const tensor = values[condition.slot]?.tensor ?? null
    if (tensor === null || !holds(condition, tensor)) return false
  }
  return true
}
