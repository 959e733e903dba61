import koffi from 'koffi'
import type { OrtApi } from './api.ts'
import type { Env } from './env.ts'
import type { Pointer } from './functions.ts'
import { createSessionOptions, type SessionSettings } from './session-options.ts'
import { readTypeAndShape } from './value.ts'

/** One input or output as the session describes it. */
export interface ValueInfo {
  readonly name: string
  /** ONNXType: 1 tensor, 2 sequence, 3 map, 4 opaque, 5 sparse tensor, 6 optional. */
  readonly kind: number
  /** ONNXTensorElementDataType; 0 unless a tensor. */
  readonly elementType: number
  /** -1 = free. */
  readonly shape: readonly number[]
}

/** A loaded model. Runs on it may overlap, from any thread. */
export interface Session {
  readonly pointer: Pointer
  readonly inputs: readonly ValueInfo[]
  /** Initializers that a run may replace: inputs that may be absent. */
  readonly initializers: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Frees it off the event loop. No run may be in flight. Idempotent. */
  close(): Promise<void>
}

export interface OpenSessionOptions {
  readonly env: Env
  /** A path (weights are read by ONNX Runtime itself) or the whole file. */
  readonly model: string | Uint8Array
  readonly settings: SessionSettings
  readonly signal?: AbortSignal
}

const TENSOR = 1

/** Opens a session on libuv's pool: large models take seconds. An abort stops ONNX Runtime's own work. */
export async function openSession(api: OrtApi, options: OpenSessionOptions): Promise<Session> {
  const { env, model, settings, signal } = options
  signal?.throwIfAborted()
  const native = createSessionOptions(api, settings)
  const slot = new BigUint64Array(1)
  const cancel = (): void => api.check(api.setLoadCancellationFlag(native, true))
  signal?.addEventListener('abort', cancel)
  try {
    const status = await new Promise<Pointer>((resolve, reject) => {
      const done = (error: Error | null, result: Pointer): void =>
        error === null ? resolve(result) : reject(error)
      if (typeof model === 'string') {
        api.createSession.async(env.pointer, model, native, slot, done)
      } else {
        api.createSessionFromArray.async(env.pointer, model, model.length, native, slot, done)
      }
    })
    if (signal?.aborted === true) {
      if (status === 0) api.releaseSession(Number(slot[0]))
      else api.releaseStatus(status)
      throw signal.reason
    }
    api.check(status)
  } finally {
    signal?.removeEventListener('abort', cancel)
    api.releaseSessionOptions(native)
  }
  return describe(api, Number(slot[0]))
}

function describe(api: OrtApi, opened: Pointer): Session {
  let pointer = opened
  const list = (
    count: OrtApi['sessionGetInputCount'],
    name: OrtApi['sessionGetInputName'],
    type: OrtApi['sessionGetInputTypeInfo'],
  ): ValueInfo[] =>
    Array.from({ length: api.result((out) => count(opened, out)) }, (_, i) => {
      const text = api.result((out) => name(opened, i, api.allocator, out))
      const decoded = koffi.decode.string(text)
      api.check(api.allocatorFree(api.allocator, text))
      return valueInfo(
        api,
        decoded,
        api.result((out) => type(opened, i, out)),
      )
    })
  return {
    get pointer() {
      return pointer
    },
    inputs: list(api.sessionGetInputCount, api.sessionGetInputName, api.sessionGetInputTypeInfo),
    initializers: list(
      api.sessionGetInitializerCount,
      api.sessionGetInitializerName,
      api.sessionGetInitializerTypeInfo,
    ),
    outputs: list(
      api.sessionGetOutputCount,
      api.sessionGetOutputName,
      api.sessionGetOutputTypeInfo,
    ),
    close() {
      const closing = pointer
      pointer = 0
      if (closing === 0) return Promise.resolve()
      return new Promise((resolve, reject) => {
        api.releaseSession.async(closing, (error) => (error === null ? resolve() : reject(error)))
      })
    },
  }
}

function valueInfo(api: OrtApi, name: string, info: Pointer): ValueInfo {
  try {
    const kind = api.result32((out) => api.getOnnxTypeFromTypeInfo(info, out))
    if (kind !== TENSOR) return { name, kind, elementType: 0, shape: [] }
    const tensor = api.result((out) => api.castTypeInfoToTensorInfo(info, out))
    return { name, kind, ...readTypeAndShape(api, tensor) }
  } finally {
    api.releaseTypeInfo(info)
  }
}
