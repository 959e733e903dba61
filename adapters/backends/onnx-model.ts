import type {
  BackendModel,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeJoin } from '../../core/paths.ts'
import type { Clock } from '../../core/platform.ts'
import type { Env } from '../../native/onnxruntime/env.ts'
import type { OnnxRuntime } from '../../native/onnxruntime/runtime.ts'
import type { Session } from '../../native/onnxruntime/session.ts'
import { onnxError } from './onnx-error.ts'
import type { OnnxFile } from './onnx-file.ts'
import { checkGpuLimit, type GpuLimit } from './onnx-gpu-limit.ts'
import { OnnxInstance } from './onnx-instance.ts'
import { sessionSettings } from './onnx-options.ts'
import type { InlineMode } from './onnx-pace.ts'
import { providerError } from './onnx-provider-error.ts'
import { providersFor } from './onnx-providers.ts'
import { ioOfSession } from './onnx-types.ts'

export interface OnnxModelOptions {
  readonly ort: OnnxRuntime
  readonly env: Env
  readonly source: ModelSource
  readonly file: OnnxFile
  readonly clock: Clock
  readonly inline: InlineMode
  readonly binding: boolean
  /** Runs one after the other what must not overlap in this process. */
  readonly serially: <T>(run: () => Promise<T>) => Promise<T>
  readonly signal?: AbortSignal | undefined
  readonly gpuLimit?: GpuLimit | undefined
}

/** Which session an instance runs on: CPU instances share one, a GPU instance has its own. */
const SHARED: Placement = { name: 'shared', kind: 'KIND_CPU', device: 0 }

/** Opens a model's session once, for its metadata and for the instances that share it. */
export async function openOnnxModel(options: OnnxModelOptions): Promise<BackendModel> {
  const model = new OnnxModel(options)
  await model.open()
  return model
}

class OnnxModel implements BackendModel {
  readonly #options: OnnxModelOptions
  readonly #instances: Set<Instance> = new Set()
  #io: ModelIo = { inputs: [], outputs: [] }
  /** The session opened by the load: of all CPU instances, or of the first GPU instance on its device. */
  #first: { session: Session; placement: Placement; taken: boolean } | null = null
  #closing: Promise<void> | null = null

  constructor(options: OnnxModelOptions) {
    this.#options = options
  }

  get io(): ModelIo {
    return this.#io
  }

  async open(): Promise<void> {
    const { config, name } = this.#options.source
    const placement = firstPlacement(config, name)
    const session = await this.#session(placement, config)
    try {
      this.#io = ioOfSession(session)
    } catch (error) {
      await session.close()
      throw error
    }
    this.#first = { session, placement, taken: false }
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    const { ort, clock, inline, binding } = this.#options
    const gpu = placement.kind === 'KIND_GPU'
    const { session, onClose } = gpu
      ? await this.#gpuSession(placement, config)
      : { session: await this.#cpuSession(config), onClose: () => Promise.resolve() }
    const made = new OnnxInstance({
      ort,
      session,
      io: this.#io,
      config,
      clock,
      // A GPU run waits for its device: never on the event loop unless somebody insists.
      inline: gpu && inline === 'auto' ? 'never' : inline,
      binding,
      onClose,
    })
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    const first = this.#first
    this.#first = null
    if (first !== null && !(first.placement.kind === 'KIND_GPU' && first.taken)) {
      await first.session.close()
    }
    await this.#shared?.then((session) => session.close())
  }

  #shared: Promise<Session> | null = null

  /** The load's session, or one more where the load opened it on a GPU. */
  #cpuSession(config: ModelConfig): Promise<Session> {
    if (this.#first !== null && this.#first.placement.kind !== 'KIND_GPU') {
      return Promise.resolve(this.#first.session)
    }
    this.#shared ??= this.#session(SHARED, config)
    return this.#shared
  }

  async #gpuSession(
    placement: Placement,
    config: ModelConfig,
  ): Promise<{ session: Session; onClose: () => Promise<void> }> {
    const first = this.#first
    let session: Session
    if (
      first !== null &&
      !first.taken &&
      first.placement.kind === 'KIND_GPU' &&
      first.placement.device === placement.device
    ) {
      first.taken = true
      session = first.session
    } else {
      session = await this.#session(placement, config)
    }
    return { session, onClose: () => session.close() }
  }

  async #session(placement: Placement, config: ModelConfig): Promise<Session> {
    const { ort, env, source, file, signal, serially, gpuLimit } = this.#options
    checkGpuLimit(placement, gpuLimit)
    const settings = {
      ...sessionSettings(config, env.globalThreads),
      providers: providersFor({
        config,
        modelName: source.name,
        placement,
        available: ort.providers,
      }),
      customOps: await customOps(source, config),
    }
    try {
      const open = (): Promise<Session> =>
        ort.openSession({
          env,
          model: file.model,
          settings,
          ...(signal === undefined ? {} : { signal }),
        })
      // Creating sessions side by side is safe on the CPU only.
      return await (settings.providers.length === 0 ? open() : serially(open))
    } catch (error) {
      if (signal?.aborted === true) throw error
      const { providers } = settings
      if (providers.length === 0) throw onnxError(error)
      throw providerError(error, {
        instance: placement.name,
        model: source.name,
        providers,
        library: ort.path,
      })
    }
  }
}

/** Where the load opens the session: on a GPU only when the config puts every instance there. */
function firstPlacement(config: ModelConfig, name: string): Placement {
  const groups = config.instance_group ?? []
  if (groups.length === 0 || !groups.every((group) => group.kind === 'KIND_GPU')) return SHARED
  return { name: `${name}_0`, kind: 'KIND_GPU', device: groups[0]?.gpus?.[0] ?? 0 }
}

/** Absolute paths of the config's custom-operator libraries, which lie in the model's folder. */
async function customOps(source: ModelSource, config: ModelConfig): Promise<string[]> {
  const names = config.model_operations?.op_library_filename ?? []
  if (names.length === 0) return []
  const { store, versionPath, modelPath } = source
  if (store.localPath === undefined) {
    throw new ServerError(
      'UNSUPPORTED',
      `custom operators of model '${source.name}' need a repository on this machine's disk`,
    )
  }
  const paths: string[] = []
  for (const name of names) {
    const inVersion = safeJoin(versionPath, name)
    const inModel = safeJoin(modelPath, name)
    const path = (await store.stat(inVersion)) !== undefined ? inVersion : inModel
    if ((await store.stat(path))?.kind !== 'file') {
      throw new ServerError(
        'UNAVAILABLE',
        `unable to find custom operator library '${name}' of model '${source.name}'`,
      )
    }
    paths.push(await store.localPath(path))
  }
  return paths
}
