import type {
  BackendModel,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../../core/backend/types.ts'
import { configFromJson } from '../../../core/config/config-json-reader.ts'
import { datatypeOfConfig } from '../../../core/config/datatypes.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import { isDatatype } from '../../../core/tensor.ts'
import { wholeNumber } from '../hosted/whole-number.ts'
import { pluginError } from './errors.ts'
import { GuardedInstance, withinPatience } from './guarded-instance.ts'

/** Default of `execution_timeout_ms`, as models in TypeScript have it. */
export const DEFAULT_EXECUTION_TIMEOUT_MS = 60_000
const MAX_EXECUTION_TIMEOUT_MS = 86_400_000

export interface GuardedModelOptions {
  readonly inner: BackendModel
  readonly backend: string
  readonly source: ModelSource
  readonly clock: Clock
  /** Called once, when the model is closed. */
  readonly onClose: () => Promise<void>
}

/** A model of a plug-in. Throws INVALID_ARG where what the plug-in made is no model. */
export function guardModel(options: GuardedModelOptions): BackendModel {
  const { inner, backend } = options
  if (typeof inner?.instance !== 'function' || typeof inner.close !== 'function') {
    throw new ServerError(
      'INVALID_ARG',
      `backend '${backend}': its load gave no model with 'instance' and 'close'`,
    )
  }
  const io = checkedIo(inner.io, backend)
  const config = checkedConfig(inner.config, options.source.name)
  return new GuardedModel(options, io, config)
}

class GuardedModel implements BackendModel {
  readonly io?: ModelIo
  readonly config?: ModelConfig
  readonly #options: GuardedModelOptions
  readonly #instances: GuardedInstance[] = []
  #closing: Promise<void> | null = null

  constructor(
    options: GuardedModelOptions,
    io: ModelIo | undefined,
    config: ModelConfig | undefined,
  ) {
    this.#options = options
    if (io !== undefined) this.io = io
    if (config !== undefined) this.config = config
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    const { inner, backend, source, clock } = this.#options
    const what = `instance '${placement.name}' of backend '${backend}'`
    const executionTimeoutMs = executionTimeout(config)
    const made = await attempt(what, () => inner.instance(placement, config))
    if (typeof made?.execute !== 'function' || typeof made.close !== 'function') {
      throw new ServerError('INVALID_ARG', `${what} has no 'execute' and 'close'`)
    }
    const types = new Map<string, string>()
    for (const { name = '', data_type } of config.output ?? []) {
      const datatype = datatypeOfConfig(data_type)
      if (datatype !== undefined) types.set(name, datatype)
    }
    const { log } = source
    const guarded = new GuardedInstance({
      inner: made,
      what,
      types,
      executionTimeoutMs,
      clock,
      log,
    })
    this.#instances.push(guarded)
    return guarded
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { inner, backend, source, clock, onClose } = this.#options
    await Promise.all(this.#instances.map((instance) => instance.close()))
    const what = `backend '${backend}': close of model '${source.name}'`
    await withinPatience(() => inner.close(), { what, log: source.log, clock })
    await onClose()
  }
}

/** Runs what a plug-in promises. Throws what it throws as the server's errors. */
export async function attempt<T>(what: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw pluginError(error, what)
  }
}

function checkedIo(io: ModelIo | undefined, backend: string): ModelIo | undefined {
  if (io === undefined) return undefined
  const sides = [io?.inputs, io?.outputs]
  for (const side of sides) {
    if (!Array.isArray(side)) throw invalidIo(backend, "'inputs' and 'outputs' are no arrays")
    for (const { name, datatype, shape } of side) {
      if (typeof name !== 'string' || name === '') throw invalidIo(backend, 'a tensor has no name')
      if (!isDatatype(String(datatype))) {
        throw invalidIo(backend, `'${name}' has the datatype '${String(datatype)}'`)
      }
      const fits = (dim: unknown): boolean => Number.isSafeInteger(dim) && (dim as number) >= -1
      if (!Array.isArray(shape) || !shape.every(fits)) {
        throw invalidIo(backend, `the shape of '${name}' is no array of numbers from -1`)
      }
    }
  }
  return io
}

function checkedConfig(config: unknown, model: string): ModelConfig | undefined {
  if (config === undefined || config === null) return undefined
  return configFromJson(JSON.stringify(config), { what: `config of model '${model}'` })
}

function invalidIo(backend: string, problem: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `backend '${backend}': in the 'io' of its model, ${problem}`,
  )
}

function executionTimeout(config: ModelConfig): number {
  const name = 'execution_timeout_ms'
  return wholeNumber(name, config.parameters?.[name]?.string_value, {
    otherwise: DEFAULT_EXECUTION_TIMEOUT_MS,
    least: 0,
    most: MAX_EXECUTION_TIMEOUT_MS,
  })
}
