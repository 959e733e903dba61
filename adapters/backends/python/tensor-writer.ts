import type { Tensor } from '../../../core/tensor.ts'
import { BLOCK_BYTES } from './block-list.ts'
import type { SentMemory } from './sent-memory.ts'

const aligned = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES

/** Bytes that `tensors` take in a block. */
export function blockBytes(tensors: readonly Tensor[]): number {
  let bytes = 0
  for (let i = 0; i < tensors.length; i++) bytes += aligned((tensors[i] as Tensor).data.length)
  return bytes
}

/** Copies tensors into one block, one after the other, and says where they are. */
export class TensorWriter {
  /** -1 = there is nothing to be copied, and so no block. */
  readonly block: number
  readonly #memory: SentMemory
  #at: number

  /** `bytes` = {@link blockBytes} of all that is written. Throws UNAVAILABLE where there is no room. */
  constructor(memory: SentMemory, bytes: number) {
    this.#memory = memory
    this.block = bytes === 0 ? -1 : memory.take(bytes)
    this.#at = Math.max(0, this.block)
  }

  /** JSON of what was written. */
  write(tensors: readonly Tensor[]): string {
    let text = '['
    for (let i = 0; i < tensors.length; i++) {
      const { name, datatype, shape, data } = tensors[i] as Tensor
      if (data.length > 0) this.#memory.write(this.#at, data)
      const comma = i === 0 ? '' : ','
      text += `${comma}[${JSON.stringify(name)},"${datatype}",[${shape.join(',')}],${this.#at},${data.length}]`
      this.#at += aligned(data.length)
    }
    return `${text}]`
  }

  /** What ends a message with these tensors. */
  get tail(): string {
    return this.block < 0 ? '}' : `,"block":${this.block}}`
  }
}
