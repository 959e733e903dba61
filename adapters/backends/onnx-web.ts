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
import { onnxBytes, onnxPath } from './onnx-bytes.ts'
import { nodeDomains } from './onnx-domains.ts'
import { NodeInstance } from './onnx-node-instance.ts'
import { providersFor } from './onnx-providers.ts'
import {
  type InTurn,
  turns,
  type WebProvider,
  type WebRuntime,
  WebSession,
} from './onnx-web-session.ts'

export interface OnnxWebBackendOptions {
  readonly clock: Clock
  /** The package, told where its wasm is. Asked for with the first model that a provider gets; runs on the calling thread. */
  readonly runtime: (provider: WebProvider) => Promise<WebRuntime>
  /** Whether there is a WebGPU adapter: then there is one GPU, with the number 0. */
  readonly webgpu: boolean
  /** Runs every instance, whatever its group says of GPU and CPU. Default: as the groups say. */
  readonly provider?: WebProvider | undefined
}

/**
 * The `onnxruntime` backend of a browser: `onnxruntime-web`, KIND_GPU on WebGPU and KIND_CPU on wasm. A model that cannot run on
 * WebGPU and does not insist on KIND_GPU runs on wasm. Runs take turns, so all instances of a model share one session and its
 * weights. A run cannot be stopped.
 */
export function onnxWebBackend(options: OnnxWebBackendOptions): Backend {
  const { webgpu, provider } = options
  const inTurn: InTurns = { webgpu: turns(), wasm: turns() }
  return {
    name: 'onnxruntime',
    defaultModelFilename: 'model.onnx',
    gpus: webgpu && provider !== 'wasm' ? [0] : [],
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      const path = await onnxPath(source, signal)
      const bytes = await onnxBytes(source, path, signal)
      const model = new WebModel({ ...options, source, path, inTurn })
      await model.open(bytes)
      return model
    },
  }
}

type InTurns = Readonly<Record<WebProvider, InTurn>>

/** Operators of trees and linear models, which the build with WebGPU lacks. */
const CLASSICAL = 'ai.onnx.ml'

interface WebModelOptions extends OnnxWebBackendOptions {
  readonly source: ModelSource
  readonly path: string
  readonly inTurn: InTurns
}

class WebModel implements BackendModel {
  readonly #options: WebModelOptions
  readonly #sessions: Map<WebProvider, Promise<WebSession>> = new Map()
  readonly #instances: Set<Instance> = new Set()
  #io: ModelIo = { inputs: [], outputs: [] }
  /** Has operators of classical machine learning. */
  #classical = false
  #closing: Promise<void> | null = null

  constructor(options: WebModelOptions) {
    this.#options = options
  }

  get io(): ModelIo {
    return this.#io
  }

  /** Groups are not complete yet: the session that they most likely ask for is the one that reads the file. */
  async open(bytes: Uint8Array): Promise<void> {
    const { source } = this.#options
    this.#classical = nodeDomains(bytes).has(CLASSICAL)
    const groups = source.config.instance_group ?? []
    const cpu = groups.length > 0 && groups.every((group) => group.kind === 'KIND_CPU')
    this.#io = (await this.#session(this.#providerOf(!cpu), source.config, bytes)).io
  }

  async instance(placement: Placement, config: ModelConfig): Promise<Instance> {
    const { webgpu, provider, source, clock } = this.#options
    if (this.#closing !== null) throw new ServerError('INTERNAL', 'the model is closed')
    const gpu = placement.kind === 'KIND_GPU'
    if (gpu && provider === undefined && !webgpu) {
      throw new ServerError(
        'UNAVAILABLE',
        `instance '${placement.name}' of model '${source.name}' is KIND_GPU, but this browser has no WebGPU adapter; change its kind to KIND_AUTO or KIND_CPU`,
      )
    }
    // Accelerators that a config names for the CPU are not there: said in the words of the other targets.
    const cpu: Placement = { ...placement, kind: 'KIND_CPU' }
    const available = ['CPUExecutionProvider']
    providersFor({ config, modelName: source.name, placement: cpu, available })
    const runner = await this.#session(this.#providerOf(gpu), config)
    // The session is the model's, not the instance's.
    const shared = { run: runner.run.bind(runner), close: () => Promise.resolve() }
    const made = new NodeInstance({ runner: shared, io: this.#io, config, clock })
    this.#instances.add(made)
    return made
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => instance.close()))
    for (const session of this.#sessions.values()) await (await session).close()
  }

  #providerOf(gpu: boolean): WebProvider {
    const { provider, webgpu } = this.#options
    const wanted = provider ?? (gpu ? 'webgpu' : 'wasm')
    return webgpu ? wanted : 'wasm'
  }

  #session(provider: WebProvider, config: ModelConfig, bytes?: Uint8Array): Promise<WebSession> {
    let session = this.#sessions.get(provider)
    if (session !== undefined) return session
    session = this.#open(provider, config, bytes)
    this.#sessions.set(provider, session)
    // A session that failed to open is tried again by the next who needs it, and has nothing to close.
    session.catch(() => this.#sessions.delete(provider))
    return session
  }

  async #open(provider: WebProvider, config: ModelConfig, bytes?: Uint8Array): Promise<WebSession> {
    const { runtime, source, path, inTurn } = this.#options
    const model = bytes ?? (await onnxBytes(source, path))
    const open = async (on: WebProvider): Promise<WebSession> => {
      const ort = await runtime(on)
      return WebSession.open({ ort, inTurn: inTurn[on], provider: on, model, path, config })
    }
    const asked = (source.config.instance_group ?? []).some(({ kind }) => kind === 'KIND_GPU')
    // Known to fail: not a reason to fetch and compile 27 MB for nothing.
    if (provider === 'wasm' || (this.#classical && !asked)) return open('wasm')
    try {
      return await open('webgpu')
    } catch (error) {
      if (asked) throw error
      const why = messageOf(error)
      source.log.warning(`model '${source.name}' runs on wasm, not on WebGPU: ${why}`)
      return open('wasm')
    }
  }
}
