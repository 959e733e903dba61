import type * as Ort from 'onnxruntime-web'
import type { IoSpec, ModelIo } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { messageOf, ServerError } from '../../core/errors.ts'
import type { OnnxRunner, WireTensor } from './onnx-node-messages.ts'
import { nodeSessionOptions } from './onnx-node-options.ts'
import { fromOrt, ioSpecOf, toOrt } from './onnx-node-tensors.ts'

export type WebProvider = 'webgpu' | 'wasm'
/** What is used of `onnxruntime-web`. */
export type WebRuntime = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>

/** Runs what it is given when everything it was given before has ended. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** A wasm module has one stack: calls into it that overlap end in an error or worse. */
export function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}

export interface WebSessionOptions {
  readonly ort: WebRuntime
  readonly inTurn: InTurn
  readonly provider: WebProvider
  readonly model: Uint8Array
  /** How messages call the model. */
  readonly path: string
  readonly config: ModelConfig
}

/** ONNX Runtime prints only what is fatal: everything else comes back as an error. */
const FATAL = 4

/** One session of `onnxruntime-web`. */
export class WebSession implements OnnxRunner {
  readonly io: ModelIo
  readonly #options: WebSessionOptions
  readonly #session: Ort.InferenceSession
  #closing: Promise<void> | null = null

  private constructor(options: WebSessionOptions, session: Ort.InferenceSession) {
    this.#options = options
    this.#session = session
    this.io = {
      inputs: session.inputMetadata.map(webIoSpec),
      outputs: session.outputMetadata.map(webIoSpec),
    }
  }

  static async open(options: WebSessionOptions): Promise<WebSession> {
    const { ort, inTurn, provider, model, path, config } = options
    const { graphOptimizationLevel, executionMode } = nodeSessionOptions(config)
    const settings: Ort.InferenceSession.SessionOptions = {
      executionProviders: [provider],
      graphOptimizationLevel,
      executionMode,
      logSeverityLevel: FATAL,
    }
    let session: Ort.InferenceSession
    try {
      session = await inTurn(() => ort.InferenceSession.create(model, settings))
    } catch (cause) {
      const reason = `onnx runtime error: Load model from ${path} failed: ${messageOf(cause)}`
      throw new ServerError('INTERNAL', reason, { cause })
    }
    try {
      return new WebSession(options, session)
    } catch (cause) {
      await inTurn(() => session.release())
      throw new ServerError('UNSUPPORTED', messageOf(cause), { cause })
    }
  }

  run(inputs: readonly WireTensor[], outputs: readonly string[]): Promise<readonly WireTensor[]> {
    const { ort, inTurn } = this.#options
    return inTurn(async () => {
      const feeds: Record<string, Ort.Tensor> = {}
      try {
        for (const input of inputs) feeds[input.name] = toOrt(ort.Tensor, input)
        const results = await this.#session.run(feeds, [...outputs])
        return outputs.map((name) => {
          const tensor = results[name]
          if (tensor === undefined) throw new Error(`output tensor '${name}' is not found`)
          return fromOrt(name, tensor)
        })
      } catch (cause) {
        throw new ServerError('INTERNAL', `onnx runtime error: ${messageOf(cause)}`, { cause })
      }
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#options.inTurn(() => this.#session.release())
    return this.#closing
  }
}

/** How the package tells a free dimension without a name: -1, read as if it had no sign. */
const FREE = 2 ** 32 - 1

function webIoSpec(metadata: Ort.InferenceSession.ValueMetadata): IoSpec {
  const { shape, ...spec } = ioSpecOf(metadata)
  return { ...spec, shape: shape.map((dim) => (dim === FREE ? -1 : dim)) }
}
