import type {
  BackendModel,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import type { CompiledModel } from '../../../native/openvino/compiled-model.ts'
import type { Model, ModelFile } from '../../../native/openvino/model.ts'
import type { Core, OpenVino } from '../../../native/openvino/runtime.ts'
import type { InlineMode } from '../onnx-pace.ts'
import { applyShapes } from './batching.ts'
import { conversionsOf, ioOfModel } from './datatypes.ts'
import { openVinoError } from './error.ts'
import { type Activity, OpenVinoInstance } from './instance.ts'
import { settingsOf } from './settings.ts'

export interface OpenVinoModelOptions {
  readonly ov: OpenVino
  readonly core: Core
  readonly source: ModelSource
  readonly file: ModelFile
  readonly clock: Clock
  readonly inline: InlineMode
  readonly signal?: AbortSignal | undefined
  /** Called when nothing of the model is left. */
  readonly onClose: () => void
}

/** Reads a model for its metadata; it is compiled with its first instance. */
export async function openOpenVinoModel(options: OpenVinoModelOptions): Promise<BackendModel> {
  const { core, file, source, signal } = options
  const settings = settingsOf(source.config)
  let doing = 'reading model'
  let model: Model | null = null
  try {
    model = await core.read(file)
    signal?.throwIfAborted()
    doing = 'setting shapes'
    const fixedRows = applyShapes(model, source.config, settings)
    doing = 'setting precision'
    const conversions = conversionsOf(model, source.config)
    if (conversions !== undefined) model.convert(conversions)
    return new OpenVinoModel(options, model, shown(ioOfModel(model), fixedRows), fixedRows)
  } catch (error) {
    model?.close()
    if (signal?.aborted === true) throw error
    throw openVinoError(error, doing)
  }
}

/** To everybody else a batch has any number of rows, also where runs have a fixed one. */
function shown(io: ModelIo, rows: number | undefined): ModelIo {
  if (rows === undefined) return io
  const free = (specs: ModelIo['inputs']): ModelIo['inputs'] =>
    specs.map((spec) =>
      spec.shape[0] === rows ? { ...spec, shape: [-1, ...spec.shape.slice(1)] } : spec,
    )
  return { inputs: free(io.inputs), outputs: free(io.outputs) }
}

class OpenVinoModel implements BackendModel {
  readonly io: ModelIo
  readonly #options: OpenVinoModelOptions
  readonly #model: Model
  /** As the runs have it. */
  readonly #runIo: ModelIo
  readonly #fixedRows: number | undefined
  readonly #activity: Activity = { pooled: 0 }
  readonly #instances: Set<Instance> = new Set()
  #compiled: Promise<CompiledModel> | null = null
  #closing: Promise<void> | null = null

  constructor(
    options: OpenVinoModelOptions,
    model: Model,
    io: ModelIo,
    fixedRows: number | undefined,
  ) {
    this.#options = options
    this.#model = model
    this.#runIo = ioOfModel(model)
    this.#fixedRows = fixedRows
    this.io = io
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    const { ov, source, clock, inline } = this.#options
    if (placement.kind !== 'KIND_CPU') {
      throw new ServerError(
        'INVALID_ARG',
        `unable to load model '${source.name}', Triton OpenVINO backend supports only Kind CPU and AUTO`,
      )
    }
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    this.#compiled ??= this.#compile(config)
    const compiled = await this.#compiled
    const settings = settingsOf(config)
    const made = new OpenVinoInstance({
      ov,
      request: compiled.createRequest(),
      io: this.#runIo,
      config,
      clock,
      // Another device is waited for: never on the event loop unless somebody insists.
      inline: settings.device !== 'CPU' && inline === 'auto' ? 'never' : inline,
      activity: this.#activity,
      fixedRows: this.#fixedRows,
      padding: settings.padding,
    })
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const compiled = await this.#compiled?.catch(() => null)
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    await compiled?.close()
    this.#model.close()
    this.#options.onClose()
  }

  async #compile(config: ModelConfig): Promise<CompiledModel> {
    const { core, source } = this.#options
    const { device, properties } = settingsOf(config)
    try {
      return await core.compile(this.#model, device, properties)
    } catch (error) {
      const failure = openVinoError(error, 'loading model')
      throw new ServerError(
        failure.code,
        `${failure.message} (model '${source.name}' is for ${device}, OpenVINO finds here ${core.devices().join(', ')})`,
        { cause: error },
      )
    }
  }
}
