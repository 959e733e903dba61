import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { Clock } from '../platform.ts'
import type { Tensor } from '../tensor.ts'
import type {
  Backend,
  BackendModel,
  Batch,
  BatchDone,
  BatchResult,
  ExecutionMarks,
  Instance,
} from './types.ts'

/** Longest `execute_delay_ms` a config may ask for: an hour. */
export const MAX_EXECUTE_DELAY_MS = 3_600_000

export interface IdentityBackendOptions {
  readonly clock: Clock
}

/**
 * The `identity` backend: output i of the config is input i, unchanged. Needs no model file. The config parameter
 * `execute_delay_ms` makes every execution take that long (default 0: it answers at once).
 */
export function identityBackend(options: IdentityBackendOptions): Backend {
  return {
    name: 'identity',
    defaultModelFilename: '',
    defaultCpuInstances: 1,
    load: () => Promise.resolve(identityModel(options.clock)),
  }
}

function identityModel(clock: Clock): BackendModel {
  return {
    instance: async (_placement, config) => new IdentityInstance(clock, config),
    close: () => Promise.resolve(),
  }
}

class IdentityInstance implements Instance {
  readonly #clock: Clock
  readonly #outputs: readonly string[]
  readonly #batching: boolean
  readonly #delayNs: number
  /** Ends the execution in progress with its result, or with CANCELLED. */
  #finish: ((cancelled: boolean) => void) | null = null
  #idle: (() => void) | null = null
  #closed = false

  constructor(clock: Clock, config: ModelConfig) {
    this.#clock = clock
    this.#outputs = (config.output ?? []).map((output) => output.name ?? '')
    this.#batching = (config.max_batch_size ?? 0) > 0
    this.#delayNs = executeDelayNs(config)
  }

  execute(batch: Batch, marks: ExecutionMarks, done: BatchDone): void {
    if (this.#closed || this.#finish !== null) {
      done(new ServerError('INTERNAL', 'the model instance is closed or busy'))
      return
    }
    let result: BatchResult | ServerError
    try {
      result = { outputs: this.#outputs.map((name, i) => this.#join(name, batch, i)) }
    } catch (error) {
      result = ServerError.from(error)
    }
    marks.inputEndNs = this.#clock.now()
    const answer = result
    if (this.#delayNs === 0 || answer instanceof ServerError) {
      marks.outputStartNs = marks.inputEndNs
      done(answer)
      return
    }
    const stop = this.#clock.after(this.#delayNs, () => this.#finish?.(false))
    this.#finish = (cancelled) => {
      stop()
      this.#finish = null
      marks.outputStartNs = this.#clock.now()
      const idle = this.#idle
      done(cancelled ? new ServerError('CANCELLED', 'request cancelled while executing') : answer)
      idle?.()
    }
  }

  terminate(): void {
    this.#finish?.(true)
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#finish === null) return
    await new Promise<void>((resolve) => {
      const before = this.#idle
      this.#idle = () => {
        before?.()
        resolve()
      }
    })
  }

  /** Input `index` of every request, end to end. */
  #join(name: string, batch: Batch, index: number): Tensor {
    const tensors = batch.requests.map((request) => {
      const tensor = request.inputs[index]
      if (tensor === undefined) {
        throw new ServerError('INVALID_ARG', `no input for output '${name}' of an identity model`)
      }
      return tensor
    })
    const first = tensors[0]
    if (first === undefined) throw new ServerError('INTERNAL', 'a batch without requests')
    if (tensors.length === 1) return { ...first, name }
    const data = new Uint8Array(tensors.reduce((size, tensor) => size + tensor.data.length, 0))
    let at = 0
    for (const tensor of tensors) {
      data.set(tensor.data, at)
      at += tensor.data.length
    }
    const shape = this.#batching ? [batch.size, ...first.shape.slice(1)] : first.shape
    return { name, datatype: first.datatype, shape, data }
  }
}

function executeDelayNs(config: ModelConfig): number {
  const text = config.parameters?.['execute_delay_ms']?.string_value ?? '0'
  const delay = Number(text)
  if (!/^\d+$/.test(text) || delay > MAX_EXECUTE_DELAY_MS) {
    throw new ServerError(
      'INVALID_ARG',
      `execute_delay_ms must be a whole number from 0 to ${MAX_EXECUTE_DELAY_MS}, got '${text}'`,
    )
  }
  return delay * 1e6
}
