import type { Pointer } from '../onnxruntime/functions.ts'
import { allocate } from '../onnxruntime/memory.ts'
import type { NeuronLibrary } from './library.ts'

/** One input or output of a NEFF; every dimension is fixed. */
export interface TensorInfo {
  readonly name: string
  readonly usage: 'input' | 'output'
  /** What the device needs for it, bytes. */
  readonly bytes: number
  /** nrt_dtype_t, whose numbers differ between runtimes. */
  readonly dtype: number
  readonly shape: readonly number[]
}

// nrt_tensor_info_t on a 64-bit machine: char[256], int, size_t, int, uint32_t *, uint32_t.
const NAME_BYTES = 256
const USAGE_AT = 256
const SIZE_AT = 264
const DTYPE_AT = 272
const SHAPE_AT = 280
const NDIM_AT = 288
const INFO_BYTES = 296
const COUNT_BYTES = 8
/** More than this is no array of tensors but memory that was read wrongly. */
const MAX_TENSORS = 4096
const MAX_DIMS = 32

/** Reads an nrt_tensor_info_array_t, which stays the caller's. */
export function readTensorInfo(library: NeuronLibrary, array: Pointer): TensorInfo[] {
  const count = Number(copied(library, array, COUNT_BYTES).getBigUint64(0, true))
  if (count > MAX_TENSORS) throw new Error(`a model with ${count} tensors`)
  const infos: TensorInfo[] = []
  for (let i = 0; i < count; i++) {
    const info = copied(library, array + COUNT_BYTES + i * INFO_BYTES, INFO_BYTES)
    const dims = info.getUint32(NDIM_AT, true)
    if (dims > MAX_DIMS) throw new Error(`a tensor with ${dims} dimensions`)
    infos.push({
      name: text(info),
      usage: info.getInt32(USAGE_AT, true) === 0 ? 'input' : 'output',
      bytes: Number(info.getBigUint64(SIZE_AT, true)),
      dtype: info.getInt32(DTYPE_AT, true),
      shape: numbers(library, Number(info.getBigUint64(SHAPE_AT, true)), dims),
    })
  }
  return infos
}

function copied(library: NeuronLibrary, from: Pointer, bytes: number): DataView {
  const memory = allocate(bytes)
  library.copy(memory.address, from, bytes)
  return new DataView(memory.bytes.buffer)
}

function text(info: DataView): string {
  const bytes = new Uint8Array(info.buffer, 0, NAME_BYTES)
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end))
}

function numbers(library: NeuronLibrary, from: Pointer, count: number): number[] {
  if (count === 0) return []
  const view = copied(library, from, count * 4)
  return Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true))
}
