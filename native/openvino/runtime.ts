import koffi from 'koffi'
import type { Pointer } from '../onnxruntime/functions.ts'
import { addressOf, allocate, type Memory } from '../onnxruntime/memory.ts'
import { loadOpenVinoApi, NOT_IMPLEMENTED, type OpenVinoApi, OpenVinoError } from './api.ts'
import { type CompiledModel, compileModel } from './compiled-model.ts'
import { checkElementTypes } from './element-types.ts'
import { type Model, type ModelFile, readModel } from './model.ts'
import {
  createStringTensor,
  createTensor,
  createTensorOver,
  readStrings,
  tensorData,
  tensorShape,
} from './tensor.ts'

/** OpenVINO, as the rest of the tree sees it: no FFI types. */
export interface OpenVino {
  readonly api: OpenVinoApi
  readonly version: string
  readonly path: string
  openCore(): Core
  allocate(size: number): Memory
  addressOf(view: ArrayBufferView): Pointer
  /** Memory of OpenVINO's own. */
  tensor(type: number, shape: readonly number[]): Pointer
  /** Memory of ours. The caller has checked that the shape fits. */
  tensorOver(address: Pointer, shape: readonly number[], type: number): Pointer
  stringTensor(elements: readonly Uint8Array[], shape: readonly number[]): Pointer
  shapeOf(tensor: Pointer): number[]
  dataOf(tensor: Pointer): Pointer
  strings(tensor: Pointer, count: number): Uint8Array[]
}

/** Devices and extensions; models are read and compiled by it. */
export interface Core {
  /** Names of the devices that are there: `CPU`, `GPU.0`, … */
  devices(): readonly string[]
  /** Adds the operators of a library, which runs as part of this process. */
  addExtension(path: string): void
  read(file: ModelFile): Promise<Model>
  compile(
    model: Model,
    device: string,
    properties: ReadonlyMap<string, string>,
  ): Promise<CompiledModel>
  /** Idempotent; every compiled model is closed before. */
  close(): void
}

/** Loads the library at `path`; throws where it cannot be used. */
export function loadOpenVino(path: string): OpenVino {
  const api = loadOpenVinoApi(path)
  checkElementTypes(api)
  return {
    api,
    version: api.version,
    path,
    openCore: () => openCore(api),
    allocate,
    addressOf,
    tensor: (type, shape) => createTensor(api, type, shape),
    tensorOver: (address, shape, type) => createTensorOver(api, address, shape, type),
    stringTensor: (elements, shape) => createStringTensor(api, elements, shape),
    shapeOf: (tensor) => tensorShape(api, tensor),
    dataOf: (tensor) => tensorData(api, tensor),
    strings: (tensor, count) => readStrings(api, tensor, count),
  }
}

function openCore(api: OpenVinoApi): Core {
  let pointer = api.result((out) => api.createCore(out))
  return {
    devices: () => devices(api, pointer),
    addExtension: (path) => {
      if (api.addExtension === null) {
        throw new OpenVinoError(NOT_IMPLEMENTED, `OpenVINO ${api.version} takes no extensions`)
      }
      api.check(api.addExtension(pointer, path))
    },
    read: (file) => readModel(api, pointer, file),
    compile: (model, device, properties) =>
      compileModel(api, { core: pointer, model, device, properties }),
    close() {
      if (pointer !== 0) api.freeCore(pointer)
      pointer = 0
    },
  }
}

function devices(api: OpenVinoApi, core: Pointer): string[] {
  const list = new BigUint64Array(2)
  api.check(api.availableDevices(core, list))
  const names: string[] = koffi.decode(Number(list[0]), 'char *', Number(list[1]))
  api.freeAvailableDevices(list)
  return names
}
