import koffi from 'koffi'
import type { Pointer } from './functions.ts'

/** Memory of ours with its address; both live as long as this object is reachable. */
export interface Memory {
  readonly bytes: Uint8Array
  readonly address: Pointer
}

/** An empty buffer has no address; nothing is allocated smaller than this. */
const MIN_BYTES = 8

/**
 * At least `size` bytes, not cleared. The buffer is its own (never a slice of Node's pool), so views on it pin nothing
 * else and it never moves.
 */
export function allocate(size: number): Memory {
  const { buffer } = Buffer.allocUnsafeSlow(Math.max(MIN_BYTES, size))
  // Plain bytes, not a Buffer: `slice` must mean the same to everyone who reads them.
  const bytes = new Uint8Array(buffer)
  return { bytes, address: addressOf(bytes) }
}

/** Where a view begins. Valid while its buffer is reachable; 0 for an empty buffer. */
export function addressOf(view: ArrayBufferView): Pointer {
  return Number(koffi.address(view))
}
