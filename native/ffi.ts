import koffi from 'koffi'

/**
 * Stack of each native call, bytes. ONNX Runtime runs whole graphs and parses models on the caller's stack; koffi's
 * default for asynchronous calls (128 KiB) is too small for it. Pages are only touched when used.
 */
export const CALL_STACK_BYTES: number = 8 * 1024 * 1024

/** Asynchronous calls that may be queued or running at once; koffi throws beyond it. */
export const MAX_ASYNC_CALLS = 4096

/** Stacks kept between asynchronous calls: koffi's maximum, so that a call needs no mmap. */
const RESIDENT_POOLS = 32

/**
 * Sets koffi's process-wide limits. koffi takes them only before the first library is loaded, so every binding calls
 * this before its `koffi.load`. Throws where another library came first with smaller stacks.
 */
export function configureFfi(): void {
  try {
    koffi.config({
      sync_stack_size: CALL_STACK_BYTES,
      async_stack_size: CALL_STACK_BYTES,
      resident_async_pools: RESIDENT_POOLS,
      max_async_calls: MAX_ASYNC_CALLS,
    })
  } catch (cause) {
    const { async_stack_size: stack = 0 } = koffi.config()
    if (stack >= CALL_STACK_BYTES) return
    throw new Error(
      `a library was loaded with ${stack} bytes of call stack before native/ffi.ts asked for ${CALL_STACK_BYTES}`,
      { cause },
    )
  }
}
