import type { IncomingMessage } from 'node:http'
import { BufferPool } from '../../../core/buffer-pool.ts'
import { ServerError } from '../../../core/errors.ts'
import { growth, heldAtFirst } from '../../../core/overload/announced.ts'

/** Bodies below this are not pooled. Bytes. */
const POOLED_BODY_BYTES = 64 * 1024

/** Memory for the bodies of one listener. */
export function bodyPool(): BufferPool {
  return new BufferPool({
    step: POOLED_BODY_BYTES,
    leastBytes: POOLED_BODY_BYTES,
    allocate: (bytes) => Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer,
  })
}

export interface BodyLimits {
  /** Bytes of one body (`--http-max-input-size`). */
  readonly maxBytes: number
  /** Non-empty chunks of one body without a declared length (`--http-max-chunks`). */
  readonly maxChunks: number
}

/** Where room is asked for bytes beyond those that are held of a declared body at first. */
export interface BodyRoom {
  /** Null = it may be kept. */
  grow(bytes: number): ServerError | null
}

/** `pooled` is memory to give back to the pool when nobody reads `body` any more. */
export type BodyDone = (error: ServerError | null, body: Buffer, pooled: ArrayBuffer | null) => void

/** Up to this declared length the whole buffer is taken at once; beyond it memory follows what really arrives. */
export const EAGER_BODY_BYTES: number = 8 * 1024 * 1024
const FIRST_CHUNKED_BYTES = 64 * 1024
const EMPTY = Buffer.alloc(0)
/** Binary tensors start at a multiple of this wherever a body is copied together, so that runtimes can read them in place. */
const TENSOR_ALIGNMENT = 8

/**
 * Collects the body of `request` and calls `done` once: with the bytes, or with an error as soon as a limit is passed.
 * A body that comes in one piece is passed on as it is; any other is copied into one buffer as it arrives, so that a
 * million tiny chunks keep a million bytes and not a million slabs. A client that leaves early is answered by nobody:
 * `done` is not called. `headerLength` (or less than 1) is where binary tensors begin.
 */
export function readBody(
  request: IncomingMessage,
  contentLength: number,
  headerLength: number,
  limits: BodyLimits,
  pool: BufferPool,
  room: BodyRoom,
  done: BodyDone,
): void {
  if (contentLength > limits.maxBytes) {
    done(tooLarge(limits.maxBytes), EMPTY, null)
    return
  }
  let whole: Buffer | null = null
  let size = 0
  let chunks = 0
  let counted = heldAtFirst(Math.max(0, contentLength))
  let settled = false
  let pooled: ArrayBuffer | null = null

  const allocate = (bytes: number): Buffer => {
    const before =
      headerLength < 1
        ? 0
        : (TENSOR_ALIGNMENT - (headerLength % TENSOR_ALIGNMENT)) % TENSOR_ALIGNMENT
    if (bytes < POOLED_BODY_BYTES || contentLength < 0) {
      return Buffer.allocUnsafeSlow(before + bytes).subarray(before)
    }
    pooled = pool.take(before + bytes)
    return Buffer.from(pooled, before, bytes)
  }

  request.on('data', (chunk: Buffer) => {
    if (settled) return
    if (contentLength >= 0 && whole === null && chunk.length === contentLength) {
      whole = chunk
      size = chunk.length
      return
    }
    chunks++
    const needed = size + chunk.length
    if (needed > limits.maxBytes) {
      settled = true
      whole = null
      done(tooLarge(limits.maxBytes), EMPTY, null)
      return
    }
    if (contentLength < 0 && chunks > limits.maxChunks) {
      settled = true
      whole = null
      done(
        new ServerError(
          'INVALID_ARG',
          `Chunked request body exceeds maximum of ${limits.maxChunks} non-empty chunks. Send fewer or larger HTTP chunks.`,
        ),
        EMPTY,
        null,
      )
      return
    }
    const more = growth(contentLength < 0 ? needed : contentLength, counted, needed)
    const refusal = more === 0 ? null : room.grow(more)
    counted += more
    if (refusal !== null) {
      settled = true
      whole = null
      done(refusal, EMPTY, null)
      return
    }
    if (whole === null) {
      const eager = contentLength >= 0 && contentLength <= EAGER_BODY_BYTES
      whole = allocate(eager ? contentLength : Math.max(FIRST_CHUNKED_BYTES, chunk.length))
    } else if (needed > whole.length) {
      const larger = allocate(Math.min(limits.maxBytes, Math.max(needed, whole.length * 2)))
      whole.copy(larger, 0, 0, size)
      whole = larger
    }
    chunk.copy(whole, size)
    size = needed
  })
  request.on('end', () => {
    if (settled) return
    settled = true
    const body = whole === null ? EMPTY : size === whole.length ? whole : whole.subarray(0, size)
    done(null, body, pooled)
  })
}

function tooLarge(maxBytes: number): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `request body size exceeds the maximum allowed value of ${maxBytes} bytes. Use --http-max-input-size to increase the limit.`,
  )
}
