import type {
  Backend,
  BackendModel,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import { findOnnxFile, type OnnxFile } from './onnx-file.ts'
import { NodeInstance } from './onnx-node-instance.ts'
import { nodeSessionOptions } from './onnx-node-options.ts'
import { NodeThread, type WorkerEntry } from './onnx-node-thread.ts'
import { providersFor } from './onnx-providers.ts'

export interface OnnxNodeBackendOptions {
  readonly clock: Clock
  /** Default: `onnx-node-worker` beside this file, which a bundler has to write as a file of its own. */
  readonly worker?: WorkerEntry | undefined
}

/** Instances of a CPU group whose config names no count, as Triton's backend has them. */
const DEFAULT_CPU_INSTANCES = 2

/**
 * The `onnxruntime` backend where the FFI cannot be had: the `onnxruntime-node` package in worker threads. Every
 * instance holds its own copy of the weights; runs cannot be stopped; BF16 and strings that are no UTF-8 do not pass.
 */
export function onnxNodeBackend(options: OnnxNodeBackendOptions): Backend {
  const { clock, worker = besideThisFile() } = options
  return {
    name: 'onnxruntime',
    defaultModelFilename: 'model.onnx',
    defaultCpuInstances: DEFAULT_CPU_INSTANCES,
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      const file = await findOnnxFile(source, signal)
      const model = new NodeModel({ source, file, clock, worker })
      await model.open(signal)
      return model
    },
  }
}

/** The worker's entry as this file's neighbour, with its extension: TypeScript in a checkout, JavaScript in a bundle. */
function besideThisFile(): WorkerEntry {
  const here = import.meta.url
  return { url: new URL(`./onnx-node-worker.${here.endsWith('.ts') ? 'ts' : 'js'}`, here) }
}

interface NodeModelOptions {
  readonly source: ModelSource
  readonly file: OnnxFile
  readonly clock: Clock
  readonly worker: WorkerEntry
}

class NodeModel implements BackendModel {
  readonly #options: NodeModelOptions
  readonly #instances: Set<Instance> = new Set()
  #io: ModelIo = { inputs: [], outputs: [] }
  /** The thread that the load opened, until the first instance takes it. */
  #spare: NodeThread | null = null
  #closing: Promise<void> | null = null

  constructor(options: NodeModelOptions) {
    this.#options = options
  }

  get io(): ModelIo {
    return this.#io
  }

  async open(signal?: AbortSignal): Promise<void> {
    const { thread, io } = await this.#thread(this.#options.source.config, signal)
    this.#io = io
    this.#spare = thread
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    const modelName = this.#options.source.name
    // The providers of the package are not asked for: this backend runs on the CPU and says so.
    providersFor({ config, modelName, placement, available: ['CPUExecutionProvider'] })
    const spare = this.#spare
    this.#spare = null
    const thread = spare ?? (await this.#thread(config)).thread
    const made = new NodeInstance({
      runner: thread,
      io: this.#io,
      config,
      clock: this.#options.clock,
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
    await this.#spare?.close()
  }

  async #thread(
    config: ModelConfig,
    signal?: AbortSignal,
  ): Promise<{ thread: NodeThread; io: ModelIo }> {
    const settings = nodeSessionOptions(config)
    const thread = new NodeThread(this.#options.worker)
    const stop = (): void => void thread.close()
    signal?.addEventListener('abort', stop)
    try {
      const io = await thread.open(this.#options.file.model, settings)
      signal?.throwIfAborted()
      return { thread, io }
    } catch (error) {
      await thread.close()
      signal?.throwIfAborted()
      if (error instanceof ServerError) throw error
      const reason = `the ONNX Runtime worker failed: ${messageOf(error)}`
      throw new ServerError('UNAVAILABLE', reason, { cause: error })
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }
}
