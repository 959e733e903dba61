import koffi from 'koffi'
import { loadOrtApi, type OrtApi } from './api.ts'
import { type Env, type EnvOptions, openEnv } from './env.ts'
import type { Pointer } from './functions.ts'
import { IoBinding } from './io-binding.ts'
import { addressOf, allocate, type Memory } from './memory.ts'
import { createRunOptions, type RunOptions } from './run-options.ts'
import { type OpenSessionOptions, openSession, type Session } from './session.ts'
import {
  createStringTensor,
  createTensor,
  readStrings,
  type TypeAndShape,
  valueTypeAndShape,
} from './value.ts'

/** ONNX Runtime, as the rest of the tree sees it: no FFI types, no C tables. */
export interface OnnxRuntime {
  readonly api: OrtApi
  readonly version: string
  readonly path: string
  /** Names of the execution providers that the library was built with. */
  readonly providers: readonly string[]
  openEnv(options?: EnvOptions): Env
  openSession(options: OpenSessionOptions): Promise<Session>
  runOptions(entries?: Readonly<Record<string, string>>): RunOptions
  /** Inputs and outputs tied to a session before it runs. */
  ioBinding(session: Session): IoBinding
  allocate(size: number): Memory
  addressOf(view: ArrayBufferView): Pointer
  tensor(address: Pointer, bytes: number, shape: readonly number[], elementType: number): Pointer
  stringTensor(elements: readonly Uint8Array[], shape: readonly number[]): Pointer
  describe(value: Pointer): TypeAndShape
  strings(value: Pointer, count: number): Uint8Array[]
  /** Where a tensor's elements lie. */
  dataOf(value: Pointer): Pointer
}

export interface OnnxRuntimeOptions {
  /** Default: the library that the `onnxruntime-node` package ships for this platform. */
  readonly libraryPath?: string
}

/** Loads the library; throws where there is none for this platform. */
export function loadOnnxRuntime(options: OnnxRuntimeOptions = {}): OnnxRuntime {
  const api = loadOrtApi(options.libraryPath)
  return {
    api,
    version: api.version,
    path: api.library.path,
    providers: availableProviders(api),
    openEnv: (env) => openEnv(api, env),
    openSession: (session) => openSession(api, session),
    runOptions: (entries) => createRunOptions(api, entries),
    ioBinding: (session) => new IoBinding(api, session),
    allocate,
    addressOf,
    tensor: (address, bytes, shape, type) => createTensor(api, address, bytes, shape, type),
    stringTensor: (elements, shape) => createStringTensor(api, elements, shape, addressOf),
    describe: (value) => valueTypeAndShape(api, value),
    strings: (value, count) => readStrings(api, value, count),
    dataOf: (value) => api.result((out) => api.getTensorMutableData(value, out)),
  }
}

function availableProviders(api: OrtApi): string[] {
  const count = new Int32Array(1)
  const list = api.result((out) => api.getAvailableProviders(out, count))
  const names: string[] = koffi.decode(list, 'char *', count[0] as number)
  api.check(api.releaseAvailableProviders(list, count[0] as number))
  return names
}
