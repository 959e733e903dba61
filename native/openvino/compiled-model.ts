import type { Pointer } from '../onnxruntime/functions.ts'
import type { OpenVinoApi } from './api.ts'
import { MAX_PROPERTIES } from './functions.ts'
import { finished, type Model } from './model.ts'

/** A model compiled for a device. Requests of it may run beside each other. */
export interface CompiledModel {
  createRequest(): InferRequest
  /** What the device made of a setting. */
  property(key: string): string
  /** Idempotent; every request is closed before. Frees it off the event loop. */
  close(): Promise<void>
}

/** One run at a time, with the tensors it was given. */
export interface InferRequest {
  readonly pointer: Pointer
  /** Idempotent; nothing may run. */
  close(): void
}

export interface CompileOptions {
  readonly core: Pointer
  readonly model: Model
  /** `CPU`, `GPU.1`, `AUTO`, … */
  readonly device: string
  /** As OpenVINO names them, at most MAX_PROPERTIES. */
  readonly properties: ReadonlyMap<string, string>
}

/** Compiles on libuv's pool: it takes seconds for large models. */
export async function compileModel(
  api: OpenVinoApi,
  options: CompileOptions,
): Promise<CompiledModel> {
  const { core, model, device, properties } = options
  if (properties.size > MAX_PROPERTIES) {
    throw new Error(`${properties.size} properties, there is room for ${MAX_PROPERTIES}`)
  }
  const words = [...properties].flat()
  const at = (index: number): string | null => words[index] ?? null
  const slot = new BigUint64Array(1)
  await finished(api, (done) =>
    api.compileModel.async(
      core,
      model.pointer,
      device,
      words.length,
      slot,
      at(0),
      at(1),
      at(2),
      at(3),
      at(4),
      at(5),
      at(6),
      at(7),
      at(8),
      at(9),
      at(10),
      at(11),
      done,
    ),
  )
  return open(api, Number(slot[0]))
}

function open(api: OpenVinoApi, compiled: Pointer): CompiledModel {
  let pointer = compiled
  return {
    createRequest: () => {
      let request = api.result((out) => api.createInferRequest(pointer, out))
      return {
        get pointer() {
          return request
        },
        close() {
          if (request !== 0) api.freeInferRequest(request)
          request = 0
        },
      }
    },
    property: (key) => api.takeText(api.result((out) => api.compiledProperty(pointer, key, out))),
    close() {
      const closing = pointer
      pointer = 0
      if (closing === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        api.freeCompiledModel.async(closing, (error) =>
          error === null ? resolve() : reject(error),
        )
      })
    },
  }
}
