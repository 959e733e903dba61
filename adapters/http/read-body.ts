import { ServerError } from '../../core/errors.ts'
import { growth, heldAtFirst } from '../../core/overload/announced.ts'
import type { Hold } from '../../core/overload/hold.ts'
import type { ProtocolLimits } from '../../core/protocol/limits.ts'

const FIRST_ROOM = 64 * 1024
const EMPTY = new Uint8Array(0)

/**
 * The body of `request`, counted as it arrives: too many bytes or too many chunks end it at once. Chunks are copied into
 * one buffer, so that many tiny ones keep no more memory than their bytes. Those that `hold` does not hold yet are taken from it.
 */
export async function readBody(
  request: Request,
  limits: ProtocolLimits,
  hold?: Hold,
): Promise<Uint8Array> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limits.bodyBytes) throw tooLarge(limits)
  if (request.body === null) return EMPTY
  const reader = request.body.getReader()
  let whole: Uint8Array = EMPTY
  let size = 0
  let chunks = 0
  let counted = declared === null ? 0 : heldAtFirst(Number(declared))
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return size === whole.length ? whole : whole.subarray(0, size)
      if (value.length === 0) continue
      if (size + value.length > limits.bodyBytes) throw tooLarge(limits)
      if (declared === null && ++chunks > limits.bodyChunks) throw tooManyChunks(limits)
      const come = size + value.length
      const more = growth(declared === null ? come : Number(declared), counted, come)
      const refusal = more === 0 ? null : (hold?.grow(more) ?? null)
      if (refusal !== null) throw refusal
      counted += more
      if (size === 0 && value.length === Number(declared)) {
        whole = value
      } else {
        whole = withRoom(whole, size, value.length, limits.bodyBytes)
        whole.set(value, size)
      }
      size += value.length
    }
  } catch (error) {
    reader.cancel().catch(() => undefined)
    if (error instanceof ServerError) throw error
    // The client went away in the middle; there is nobody to read the answer.
    throw new ServerError('CANCELLED', 'the request body ended early')
  }
}

function withRoom(whole: Uint8Array, size: number, more: number, most: number): Uint8Array {
  const needed = size + more
  if (needed <= whole.length) return whole
  const larger = new Uint8Array(Math.max(needed, Math.min(most, whole.length * 2), FIRST_ROOM))
  larger.set(whole.subarray(0, size))
  return larger
}

function tooLarge(limits: ProtocolLimits): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `request body size exceeds the maximum allowed value of ${limits.bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
  )
}

function tooManyChunks(limits: ProtocolLimits): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `Chunked request body exceeds maximum of ${limits.bodyChunks} non-empty chunks. Send fewer or larger HTTP chunks.`,
  )
}
