import type { Pointer } from '../onnxruntime/functions.ts'
import { addressOf, allocate, type Memory } from '../onnxruntime/memory.ts'
import { type NeuronLibrary, openNeuronLibrary } from './library.ts'
import { NeuronError, NRT_SUCCESS } from './status.ts'
import { readTensorInfo, type TensorInfo } from './tensor-info.ts'

/** A NEFF on its cores. */
export interface LoadedNeff {
  readonly pointer: Pointer
  readonly core: number
  /** Cores from `core` on that it takes. */
  readonly cores: number
  readonly tensors: readonly TensorInfo[]
}

export interface CoreMemory {
  readonly usedBytes: number
  readonly limitBytes: number
}

/** Called on the event loop when a call on libuv's pool has ended. `status` is an NRT_STATUS. */
export type Done = (error: Error | null, status: number) => void

/** The Neuron runtime, as the rest of the tree sees it: no FFI types. All that can block runs on libuv's pool. */
export interface NeuronRuntime {
  readonly path: string
  /** `2.27.23.0`; '' where the runtime does not tell. */
  readonly version: string
  /** Cores of this process, numbered from 0. */
  readonly cores: number
  /** Takes the cores; once per process. */
  init(): Promise<void>
  /** Gives the cores back. Everything was freed before. */
  close(): Promise<void>
  load(neff: Uint8Array, core: number): Promise<LoadedNeff>
  unload(model: LoadedNeff): Promise<void>
  tensor(core: number, bytes: number, name: string): Promise<Pointer>
  freeTensor(tensor: Pointer): Promise<void>
  /** A set refers to its tensors: it is freed before them. */
  tensorSet(tensors: ReadonlyMap<string, Pointer>): Promise<Pointer>
  freeTensorSet(set: Pointer): Promise<void>
  /** The memory at `from` stays as it is until `done`. */
  write(tensor: Pointer, from: Pointer, bytes: number, done: Done): void
  read(tensor: Pointer, to: Pointer, bytes: number, done: Done): void
  execute(model: Pointer, inputs: Pointer, outputs: Pointer, done: Done): void
  /** undefined where the runtime does not tell. */
  memoryOf(core: number): CoreMemory | undefined
  allocate(bytes: number): Memory
  addressOf(view: ArrayBufferView): Pointer
}

const FRAMEWORK_NONE = 1
const PLACEMENT_DEVICE = 0
const PLACEMENT_VIRTUAL = 2
/** The first generation of chips takes tensors from host memory only. */
const FAMILY_INF1 = 1
const INSTANCE_INFO_BYTES = 32
/** uint64[4], char[128], char[64] */
const VERSION_BYTES = 224
/** "As many as the model needs." */
const AUTOMATIC = -1

/** Loads `libnrt` at `path`; touches no device before `init` but for counting cores. */
export function openNeuronRuntime(path: string): NeuronRuntime {
  const library = openNeuronLibrary(path)
  const placement = isInf1(library) ? PLACEMENT_VIRTUAL : PLACEMENT_DEVICE
  const stats = new BigUint64Array(2)
  const written = new BigUint64Array(1)
  return {
    path,
    version: versionOf(library),
    cores: visibleCores(library),
    allocate,
    addressOf,
    async init() {
      check('nrt_init', await pooled((done) => library.init.async(FRAMEWORK_NONE, '', '', done)))
    },
    close: () => pooled((done) => library.close.async(done)),
    async load(neff, core) {
      const slot = new BigUint64Array(1)
      const at = addressOf(neff)
      const status = await pooled<number>((done) =>
        library.load.async(at, neff.length, core, AUTOMATIC, slot, done),
      )
      // Also keeps the file's bytes reachable until the call has ended.
      check(`nrt_load of ${neff.length} bytes on core ${core}`, status)
      const pointer = Number(slot[0])
      try {
        return {
          pointer,
          core,
          cores: coresOf(library, pointer),
          tensors: tensorsOf(library, pointer),
        }
      } catch (error) {
        await pooled<number>((done) => library.unload.async(pointer, done))
        throw error
      }
    },
    async unload({ pointer }) {
      check('nrt_unload', await pooled((done) => library.unload.async(pointer, done)))
    },
    async tensor(core, bytes, name) {
      const slot = new BigUint64Array(1)
      const status = await pooled<number>((done) =>
        library.allocateTensor.async(placement, core, bytes, name, slot, done),
      )
      check('nrt_tensor_allocate', status)
      return Number(slot[0])
    },
    async freeTensor(tensor) {
      const slot = BigUint64Array.of(BigInt(tensor))
      await pooled<undefined>((done) => library.freeTensor.async(slot, done))
      slot[0] = 0n
    },
    async tensorSet(tensors) {
      const slot = new BigUint64Array(1)
      check('nrt_allocate_tensor_set', library.allocateSet(slot))
      const set = Number(slot[0])
      try {
        for (const [name, tensor] of tensors) {
          check('nrt_add_tensor_to_tensor_set', library.addToSet(set, name, tensor))
        }
        return set
      } catch (error) {
        library.destroySet(slot)
        throw error
      }
    },
    async freeTensorSet(set) {
      library.destroySet(BigUint64Array.of(BigInt(set)))
    },
    write: (tensor, from, bytes, done) => library.writeTensor.async(tensor, from, 0, bytes, done),
    read: (tensor, to, bytes, done) => library.readTensor.async(tensor, to, 0, bytes, done),
    execute: (model, inputs, outputs, done) => library.execute.async(model, inputs, outputs, done),
    memoryOf(core) {
      if (library.memoryStats === null) return undefined
      const status = library.memoryStats(core, stats, stats.byteLength, written)
      if (status !== NRT_SUCCESS) return undefined
      return { usedBytes: Number(stats[0]), limitBytes: Number(stats[1]) }
    },
  }
}

function check(call: string, status: number): void {
  if (status !== NRT_SUCCESS) throw new NeuronError(call, status)
}

function pooled<T>(start: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result) : reject(error)))
  })
}

function visibleCores(library: NeuronLibrary): number {
  const count = new Uint32Array(1)
  // A machine without a device: none, whatever the status says of it.
  return library.visibleCores(count) === NRT_SUCCESS ? (count[0] as number) : 0
}

function coresOf(library: NeuronLibrary, model: Pointer): number {
  const count = new Uint32Array(1)
  check('nrt_get_model_vnc_count', library.modelCores(model, count))
  return Math.max(1, count[0] as number)
}

function tensorsOf(library: NeuronLibrary, model: Pointer): TensorInfo[] {
  const slot = new BigUint64Array(1)
  check('nrt_get_model_tensor_info', library.tensorInfo(model, slot))
  const array = Number(slot[0])
  try {
    return readTensorInfo(library, array)
  } finally {
    library.freeTensorInfo(array)
  }
}

function isInf1(library: NeuronLibrary): boolean {
  const info = new Uint32Array(INSTANCE_INFO_BYTES / 4)
  if (library.instanceInfo?.(info, INSTANCE_INFO_BYTES) !== NRT_SUCCESS) return false
  return info[0] === FAMILY_INF1
}

function versionOf(library: NeuronLibrary): string {
  const version = new BigUint64Array(VERSION_BYTES / 8)
  if (library.version?.(version, VERSION_BYTES) !== NRT_SUCCESS) return ''
  return version.subarray(0, 4).join('.')
}
