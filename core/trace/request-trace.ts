import { ServerError } from '../errors.ts'
import type { InferRequest, InferResponse, RequestTrace, TracedModel } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import { TENSORS } from './level.ts'
import { tensorText } from './tensor-text.ts'
import type { ModelTrace, TracedTensor } from './types.ts'

/** Responses of one request whose times are kept: a stream without end is no trace without end. */
export const MAX_TRACED_RESPONSES = 1024

/** Characters of tensors that one trace shows, those of all its requests and responses together. */
export const MAX_TENSOR_CHARS: number = 16 * 1024 * 1024

/** The trace that a request belongs to. */
export interface TraceGroup {
  readonly level: number
  /** Characters of tensors that it still takes; 0 or less = no more tensors. */
  room: number
  now(): number
  nextId(): number
  begun(trace: ModelTrace): void
  ended(): void
}

/** One request's way through its model. */
export class ModelRequestTrace implements RequestTrace, ModelTrace {
  readonly id: number
  readonly parentId: number
  model = ''
  version = 0
  requestId = ''
  startNs = 0
  queuedNs = 0
  computeStartNs = 0
  computeInputEndNs = 0
  computeOutputStartNs = 0
  computeEndNs = 0
  readonly responsesNs: number[] = []
  endNs = 0
  error = ''
  readonly tensors: TracedTensor[] = []
  readonly #group: TraceGroup

  constructor(group: TraceGroup, parentId: number) {
    this.#group = group
    this.id = group.nextId()
    this.parentId = parentId
  }

  begin(request: InferRequest, { name, version }: TracedModel): void {
    // What was routed on is still the same request.
    if (this.startNs !== 0) return
    this.model = name
    this.version = version
    this.requestId = request.id
    this.startNs = this.#group.now()
    this.#keep('TENSOR_QUEUE_INPUT', request.inputs)
    this.#group.begun(this)
  }

  executed(startNs: number, inputEndNs: number, outputStartNs: number, endNs: number): void {
    this.computeStartNs = startNs
    this.computeInputEndNs = inputEndNs === 0 ? startNs : inputEndNs
    this.computeOutputStartNs = outputStartNs === 0 ? endNs : outputStartNs
    this.computeEndNs = endNs
  }

  answered(
    request: InferRequest,
    answer: InferResponse | ServerError | null,
    final: boolean,
  ): void {
    if (this.startNs === 0 || this.endNs !== 0) return
    const nowNs = this.#group.now()
    if (answer instanceof ServerError) this.error = answer.message
    else if (answer !== null && this.responsesNs.length < MAX_TRACED_RESPONSES) {
      this.#keep('TENSOR_BACKEND_OUTPUT', answer.outputs)
    }
    if (answer !== null && this.responsesNs.length < MAX_TRACED_RESPONSES) {
      this.responsesNs.push(nowNs)
    }
    if (!final) return
    this.queuedNs = request.queuedNs
    this.endNs = nowNs
    this.#group.ended()
  }

  child(): RequestTrace {
    return new ModelRequestTrace(this.#group, this.id)
  }

  #keep(activity: TracedTensor['activity'], tensors: readonly Tensor[]): void {
    if ((this.#group.level & TENSORS) === 0) return
    for (const tensor of tensors) {
      if (this.#group.room <= 0) return
      const { name, shape, datatype } = tensor
      const data = tensorText(tensor)
      this.#group.room -= data.length
      this.tensors.push({ activity, name, data, shape, datatype })
    }
  }
}
