import type { Batch, BatchResult, Instance } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import type { Sequence } from './sequence.ts'
import { createSequenceControls, type SequenceControls } from './sequence-control.ts'
import { createSequenceStates, type SequenceStates } from './sequence-states.ts'

/** Makes requests steps of their sequences: adds controls and state before the run, keeps the new state after it. */
export interface SequenceSteps {
  readonly controls: SequenceControls
  readonly states: SequenceStates | null
  /** `request` becomes what `sequence` runs now; it gets the extra inputs. */
  begin(sequence: Sequence, request: InferRequest): void
  /** What `request` would get as state. */
  statesFor(sequence: Sequence, request: InferRequest): readonly Tensor[]
  /** `sequence` runs nothing any more. A request that was not answered is again as it came. */
  end(sequence: Sequence): void
  /**
   * `instance` for a runner. It cannot be stopped: a step that ends half-way leaves its sequence undefined.
   * `onAgain` hears of every request that has to run again, after the batch's result was taken over.
   */
  wrap(instance: Instance, onAgain: (sequence: Sequence) => void): Instance
}

export function createSequenceSteps(options: {
  readonly config: ModelConfig
  readonly initialStates: ReadonlyMap<string, Tensor>
}): SequenceSteps {
  const controls = createSequenceControls(options.config)
  const states = createSequenceStates(options.config, options.initialStates)
  const iterative = options.config.sequence_batching?.iterative_sequence === true
  const running = new Map<InferRequest, Sequence>()

  const statesFor = (sequence: Sequence, request: InferRequest): readonly Tensor[] => {
    if (states === null) return []
    return request.sequenceStart ? states.initial : (sequence.states ?? states.initial)
  }
  const keepStates = (batch: Batch, result: BatchResult): void => {
    if (states === null) return
    for (const [i, kept] of states.ofRows(batch, result).entries()) {
      const sequence = running.get(batch.requests[i] as InferRequest)
      if (sequence !== undefined) sequence.states = kept
    }
  }
  const takeOver = (
    batch: Batch,
    result: BatchResult,
    onAgain: (sequence: Sequence) => void,
  ): BatchResult | ServerError => {
    try {
      keepStates(batch, result)
    } catch (error) {
      result.release?.()
      return ServerError.from(error)
    }
    for (const request of result.again ?? []) {
      const sequence = running.get(request)
      if (sequence === undefined || !iterative) {
        result.release?.()
        return new ServerError('INTERNAL', 'only requests of iterative sequences can run again')
      }
    }
    for (const request of result.again ?? []) {
      const sequence = running.get(request) as Sequence
      sequence.again = true
      onAgain(sequence)
    }
    return result
  }

  return {
    controls,
    states,
    statesFor,
    begin(sequence, request) {
      sequence.running = request
      sequence.inputs = request.inputs
      sequence.onSettled = request.onSettled
      sequence.queuedNs = request.queuedNs
      running.set(request, sequence)
      const { sequenceStart, sequenceEnd } = request
      request.inputs = [
        ...request.inputs,
        ...controls.ofStep(sequenceStart, sequenceEnd, sequence.idTensor),
        ...statesFor(sequence, request),
      ]
    },
    end(sequence) {
      const request = sequence.running
      if (request === null) return
      running.delete(request)
      if (!request.settled) {
        request.inputs = sequence.inputs
        request.onSettled = sequence.onSettled
      }
      sequence.running = null
      sequence.inputs = []
      sequence.onSettled = null
    },
    wrap: (instance, onAgain) => ({
      execute(batch, marks, done, answers) {
        // A batcher in between counted the wait from when it got the request.
        for (const request of batch.requests) {
          const sequence = running.get(request)
          if (sequence !== undefined) request.queuedNs = sequence.queuedNs
        }
        if (states === null && !iterative) instance.execute(batch, marks, done, answers)
        else {
          const take = (result: BatchResult | ServerError): void =>
            done(result instanceof ServerError ? result : takeOver(batch, result, onAgain))
          instance.execute(batch, marks, take, answers)
        }
      },
      // Who answers several times can end one request's answers alone.
      ...(instance.cancelled === undefined
        ? {}
        : { cancelled: (request) => instance.cancelled?.(request) }),
      close: () => instance.close(),
    }),
  }
}
