import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Clock } from '../platform.ts'
import { type Datatype, sameShape, shapeText, type Tensor } from '../tensor.ts'
import { RepeatStream } from './repeat-stream.ts'
import type {
  Backend,
  BackendModel,
  Batch,
  BatchDone,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
} from './types.ts'

export interface RepeatBackendOptions {
  readonly clock: Clock
}

const IO: readonly (readonly ['input' | 'output', string, string])[] = [
  ['input', 'IN', 'TYPE_INT32'],
  ['input', 'DELAY', 'TYPE_UINT32'],
  ['input', 'WAIT', 'TYPE_UINT32'],
  ['output', 'OUT', 'TYPE_INT32'],
  ['output', 'IDX', 'TYPE_UINT32'],
]

/**
 * Triton's `repeat` backend: one response for each element of IN, which it waits for as many milliseconds as DELAY says, with
 * the element in OUT and its place in IDX; then a final answer without a response. The execution itself takes WAIT
 * milliseconds, whatever becomes of the responses. Decoupled models without batching only; needs no model file.
 */
export function repeatBackend(options: RepeatBackendOptions): Backend {
  return {
    name: 'repeat',
    defaultModelFilename: '',
    defaultCpuInstances: 1,
    load: () => Promise.resolve(repeatModel(options.clock)),
  }
}

function repeatModel(clock: Clock): BackendModel {
  return {
    instance: async (_placement, config) => {
      checkConfig(config)
      return new RepeatInstance(clock)
    },
    close: () => Promise.resolve(),
  }
}

function checkConfig(config: ModelConfig): void {
  const wrong = (what: string): ServerError =>
    new ServerError('INVALID_ARG', `a model of the repeat backend ${what}`)
  if (config.model_transaction_policy?.decoupled !== true) throw wrong('must be decoupled')
  if ((config.max_batch_size ?? 0) !== 0) throw wrong('does not support batching')
  for (const [kind, name, type] of IO) {
    const found = config[kind]?.find((one) => one.name === name)
    if (found === undefined) throw wrong(`must have ${kind} '${name}'`)
    if (found.data_type !== type) throw wrong(`must have ${kind} '${name}' of ${type}`)
  }
}

class RepeatInstance implements Instance {
  readonly #clock: Clock
  readonly #streams = new Set<RepeatStream>()
  #busy: (() => void) | null = null
  #onIdle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers: DecoupledAnswers | null = null,
  ): void {
    if (this.#closing !== null || this.#busy !== null || answers === null) {
      done(new ServerError('INTERNAL', 'the model instance is closed, busy or not decoupled'))
      return
    }
    let waitMs = 0
    for (let i = 0; i < batch.requests.length; i++) {
      const request = batch.requests[i] as InferRequest
      try {
        waitMs = Math.max(waitMs, this.#start(request, i, answers))
      } catch (error) {
        answers.send(i, ServerError.from(error), true)
      }
    }
    marks.inputEndNs = this.#clock.now()
    this.#wait(waitMs, marks, done)
  }

  cancelled(request: InferRequest): void {
    for (const stream of this.#streams) if (stream.request === request) stream.stop()
  }

  terminate(): void {
    for (const stream of this.#streams) stream.stop()
    this.#busy?.()
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#onIdle = resolve
      this.#check()
    })
    return this.#closing
  }

  /** Returns how long the execution takes, milliseconds. */
  #start(request: InferRequest, index: number, answers: DecoupledAnswers): number {
    const wait = elements(input(request, 'WAIT', 'UINT32'))
    if (wait.length !== 1) {
      throw new ServerError('INVALID_ARG', 'unexpected size for WAIT input')
    }
    const values = input(request, 'IN', 'INT32')
    const delays = input(request, 'DELAY', 'UINT32')
    if (!sameShape(values.shape, delays.shape)) {
      throw new ServerError(
        'INVALID_ARG',
        `expected IN and DELAY shape to match, got ${shapeText(values.shape)} and ${shapeText(delays.shape)}`,
      )
    }
    const stream = new RepeatStream({
      clock: this.#clock,
      request,
      values: Int32Array.from(elements(values)),
      delaysMs: Uint32Array.from(elements(delays)),
      send: (answer, final) => answers.send(index, answer, final),
      onEnd: () => {
        this.#streams.delete(stream)
        this.#check()
      },
    })
    this.#streams.add(stream)
    stream.step()
    return wait[0] as number
  }

  #wait(ms: number, marks: ExecutionMarks, done: BatchDone): void {
    let stop: (() => void) | null = null
    const end = (): void => {
      stop?.()
      this.#busy = null
      marks.outputStartNs = this.#clock.now()
      done({ outputs: [] })
      this.#check()
    }
    if (ms === 0) {
      end()
      return
    }
    this.#busy = end
    stop = this.#clock.after(ms * 1e6, end)
  }

  #check(): void {
    if (this.#streams.size === 0 && this.#busy === null) this.#onIdle?.()
  }
}

function input(request: InferRequest, name: string, datatype: Datatype): Tensor {
  const found = request.inputs.find((tensor) => tensor.name === name)
  if (found?.datatype === datatype) return found
  throw new ServerError('INVALID_ARG', `expected input '${name}' of ${datatype}`)
}

function elements({ name, datatype, data }: Tensor): number[] {
  if (data.length % 4 !== 0) {
    throw new ServerError('INVALID_ARG', `unexpected size for ${name} input`)
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const values: number[] = []
  for (let at = 0; at < data.length; at += 4) {
    values.push(datatype === 'INT32' ? view.getInt32(at, true) : view.getUint32(at, true))
  }
  return values
}
