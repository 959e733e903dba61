import {
  byteSize,
  elementCount,
  isDatatype,
  MAX_TENSOR_DIMS,
  type Tensor,
} from '../../../core/tensor.ts'
import type { ReceivedBytes, ReceivedMemory } from './received-memory.ts'

/** `[name, datatype, shape, at, length]`, checked but for where its bytes are. */
export type WireTensor = readonly [string, Tensor['datatype'], readonly number[], number, number]

/** Reads the tensors of one message: all of them are checked before the bytes of any are touched. */
export class ReceivedTensors {
  /** Gives their block back; null = nothing is to be given back. */
  release: (() => void) | null = null
  #from = Number.MAX_SAFE_INTEGER
  #to = 0
  #bytes: ReceivedBytes | null = null

  /** Throws for what is no list of tensors. */
  check(list: unknown): readonly WireTensor[] {
    if (!Array.isArray(list)) throw new Error('its tensors are no list')
    for (let i = 0; i < list.length; i++) this.#check(list[i])
    return list as readonly WireTensor[]
  }

  /** To be called once, after all were checked. Throws where they are not in `block`. */
  open(memory: ReceivedMemory, block: unknown): void {
    if (block === undefined || block === null) {
      if (this.#to > 0) throw new Error('its tensors have no block')
      return
    }
    const read = memory.read(block, this.#to === 0 ? 0 : this.#from, this.#to)
    this.#bytes = read
    this.release = read.release
  }

  /** Views on the block. Throws for BYTES that are none. */
  tensors(list: readonly WireTensor[]): Tensor[] {
    const tensors: Tensor[] = []
    for (let i = 0; i < list.length; i++) {
      const [name, datatype, shape, at, length] = list[i] as WireTensor
      const data = length === 0 || this.#bytes === null ? NOTHING : part(this.#bytes, at, length)
      if (datatype === 'BYTES') checkElements(name, data, elementCount(shape))
      tensors.push({ name, datatype, shape, data })
    }
    return tensors
  }

  #check(tensor: unknown): void {
    if (!Array.isArray(tensor)) throw new Error('a tensor is no list')
    const [name, datatype, shape, at, length] = tensor as unknown[]
    if (typeof name !== 'string' || typeof datatype !== 'string' || !isDatatype(datatype)) {
      throw new Error('a tensor has no name or no datatype')
    }
    if (!Array.isArray(shape) || shape.length > MAX_TENSOR_DIMS) {
      throw new Error(`tensor '${name}' has no shape`)
    }
    if (!isOffset(at) || !isOffset(length)) throw new Error(`tensor '${name}' has no place`)
    // Refuses dimensions that are none.
    elementCount(shape as number[])
    const expected = byteSize(datatype, shape as number[])
    if (expected >= 0 && expected !== length) {
      throw new Error(`tensor '${name}' has ${length} bytes, expected ${expected}`)
    }
    if (length === 0) return
    if (at < this.#from) this.#from = at
    if (at + length > this.#to) this.#to = at + length
  }
}

const NOTHING = new Uint8Array(0)

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function part({ base, bytes }: ReceivedBytes, at: number, length: number): Uint8Array {
  return bytes.subarray(at - base, at - base + length)
}

function checkElements(name: string, data: Uint8Array, count: number): void {
  let at = 0
  for (let i = 0; i < count && at + 4 <= data.length; i++) {
    const low = (data[at] as number) | ((data[at + 1] as number) << 8)
    const high = (data[at + 2] as number) | ((data[at + 3] as number) << 8)
    at += 4 + low + high * 65_536
    if (i === count - 1 && at === data.length) return
  }
  if (count > 0 || data.length > 0) throw new Error(`tensor '${name}' holds no ${count} elements`)
}
