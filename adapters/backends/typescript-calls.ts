import { ServerError } from '../../core/errors.ts'
import type {
  Datatype,
  InferInput,
  InferOptions,
  InferResult,
  InputTensor,
  Parameters,
} from '../../core/model-api/types.ts'
import type { Tensor } from '../../core/tensor.ts'
import {
  type FromWorker,
  isWireError,
  type ToWorker,
  type WireAnswer,
  type WireControl,
} from './typescript-messages.ts'
import { parametersOf, ReceivedRequest, recordOf } from './typescript-request.ts'
import { findTensor, ReceivedTensor, toTensor } from './typescript-tensors.ts'
import { packAligned, serverError, tensorOf } from './typescript-wire.ts'

/** Calls to other models that an instance may have in flight. */
export const MAX_CALLS = 1024

export type Post = (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void

/** What a model asked of the rest of the server and has no answer to yet. */
export class Calls {
  readonly #post: Post
  readonly #open: Map<number, PeerCall> = new Map()
  readonly #controls: Map<number, (result: boolean | ServerError) => void> = new Map()
  #next = 1

  constructor(post: Post) {
    this.#post = post
  }

  /** One answer. */
  async infer(
    model: string,
    inputs: Readonly<Record<string, InferInput>>,
    options: InferOptions = {},
  ): Promise<InferResult> {
    const call = this.#start(model, inputs, options)
    try {
      const first = await call.next()
      if (first === null) throw new ServerError('INTERNAL', `model '${model}' gave no response`)
      if ((await call.next()) === null) return first
      throw new ServerError('UNSUPPORTED', `model '${model}' gives many responses: use stream`)
    } finally {
      call.leave()
    }
  }

  /** Answers as they come. */
  async *stream(
    model: string,
    inputs: Readonly<Record<string, InferInput>>,
    options: InferOptions = {},
  ): AsyncGenerator<InferResult> {
    const call = this.#start(model, inputs, options)
    try {
      for (let one = await call.next(); one !== null; one = await call.next()) yield one
    } finally {
      call.leave()
    }
  }

  async control(action: WireControl['action'], model: string, version: string): Promise<boolean> {
    const call = this.#place()
    const result = await new Promise<boolean | ServerError>((resolve) => {
      this.#controls.set(call, resolve)
      this.#post({ kind: 'control', call, action, model, version })
    })
    if (result instanceof ServerError) throw result
    return result
  }

  receive(message: Extract<ToWorker, { kind: 'answer' | 'controlled' }>): void {
    if (message.kind === 'answer') {
      this.#open.get(message.call)?.receive(message.answer, message.final, message.buffer)
      return
    }
    const { call, result } = message
    this.#controls.get(call)?.(typeof result === 'boolean' ? result : serverError(result))
    this.#controls.delete(call)
  }

  #place(): number {
    if (this.#open.size + this.#controls.size >= MAX_CALLS) {
      throw new ServerError('UNAVAILABLE', `more than ${MAX_CALLS} calls to other models at a time`)
    }
    return this.#next++
  }

  #start(
    model: string,
    inputs: Readonly<Record<string, InferInput>>,
    options: InferOptions,
  ): PeerCall {
    const place = this.#place()
    const tensors = Object.entries(inputs).map(([name, input]) => inputOf(name, input))
    const { groups, buffer } = packAligned([tensors])
    const { request, sequenceId = 0n, version } = options
    const own = request instanceof ReceivedRequest ? request : undefined
    const call = new PeerCall({
      signals: [options.signal, own?.signal],
      taken: () => this.#post({ kind: 'taken', call: place }),
      left: (early) => {
        this.#open.delete(place)
        if (early) this.#post({ kind: 'stop', call: place })
      },
    })
    this.#open.set(place, call)
    try {
      this.#post(
        {
          kind: 'infer',
          call: place,
          model,
          version: version === undefined ? '' : String(version),
          request: {
            id: options.id ?? own?.id ?? '',
            inputs: groups[0] ?? [],
            outputs: options.outputs ?? null,
            parameters: parametersOf(options.parameters),
            priority: options.priority ?? 0,
            timeoutUs: options.timeoutUs ?? 0,
            sequenceId: typeof sequenceId === 'number' ? BigInt(sequenceId) : sequenceId,
            sequenceStart: options.sequenceStart ?? false,
            sequenceEnd: options.sequenceEnd ?? false,
            batchSize: 1,
          },
          run: own?.run ?? -1,
          index: own?.index ?? -1,
          buffer,
        },
        [buffer],
      )
    } catch (error) {
      // What cannot be sent is not on its way.
      call.leave()
      throw error
    }
    return call
  }
}

/** What was received goes on as it came; what is new is packed. */
function inputOf(name: string, input: InferInput): Tensor {
  if (!(input instanceof ReceivedTensor)) return toTensor(name, input)
  return { name, datatype: input.datatype, shape: input.shape, data: input.bytes }
}

interface PeerCallOptions {
  readonly signals: readonly (AbortSignal | undefined)[]
  /** An answer was taken. */
  readonly taken: () => void
  /** Called once; `early` = before the last answer. */
  readonly left: (early: boolean) => void
}

/** Answers to one call, until they are taken. */
class PeerCall {
  readonly #options: PeerCallOptions
  readonly #answers: (InferResult | ServerError)[] = []
  #final = false
  #left = false
  #wake: (() => void) | null = null
  readonly #stop = (): void => {
    this.#answers.length = 0
    this.#answers.push(new ServerError('CANCELLED', 'the call was cancelled'))
    this.#wake?.()
  }

  constructor(options: PeerCallOptions) {
    this.#options = options
    for (const signal of options.signals) {
      if (signal?.aborted === true) this.#stop()
      else signal?.addEventListener('abort', this.#stop, { once: true })
    }
  }

  receive(answer: WireAnswer | null, final: boolean, buffer: ArrayBuffer): void {
    if (answer !== null) {
      this.#answers.push(
        isWireError(answer)
          ? serverError(answer)
          : new ReceivedResult(
              answer.outputs.map((output) => new ReceivedTensor(tensorOf(output, buffer))),
              recordOf(answer.parameters),
            ),
      )
    }
    if (final) this.#final = true
    this.#wake?.()
  }

  /** The next answer; null = there is no further one. Throws an answer that is an error. */
  async next(): Promise<InferResult | null> {
    while (this.#answers.length === 0) {
      if (this.#final) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const answer = this.#answers.shift() as InferResult | ServerError
    if (!this.#final) this.#options.taken()
    if (answer instanceof ServerError) throw answer
    return answer
  }

  leave(): void {
    if (this.#left) return
    this.#left = true
    for (const signal of this.#options.signals) signal?.removeEventListener('abort', this.#stop)
    this.#options.left(!this.#final)
  }
}

class ReceivedResult implements InferResult {
  readonly outputs: readonly InputTensor[]
  readonly parameters: Parameters

  constructor(outputs: readonly InputTensor[], parameters: Parameters) {
    this.outputs = outputs
    this.parameters = parameters
  }

  output<D extends Datatype = Datatype>(name: string, datatype?: D): InputTensor<D> {
    return findTensor(this.outputs, 'output', name, datatype)
  }
}
