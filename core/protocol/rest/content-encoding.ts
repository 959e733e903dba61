import { ServerError } from '../../errors.ts'
import type { Hold } from '../../overload/hold.ts'
import type { ProtocolLimits } from '../limits.ts'
import { invalid } from './json-value.ts'

/** What bodies may be packed in, both ways; `deflate` is a zlib stream. */
export type ContentEncoding = 'identity' | 'gzip' | 'deflate'

/** The value of `Accept-Encoding` in the answer to a request in another encoding. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate'

/** The encoding of a request body. Throws UNSUPPORTED for any but those above. */
export function requestEncoding(header: string | undefined): ContentEncoding {
  const encoding = header ?? ''
  if (encoding === '' || encoding === 'identity') return 'identity'
  if (encoding === 'gzip' || encoding === 'deflate') return encoding
  throw new ServerError('UNSUPPORTED', 'Unsupported compression type')
}

/** The encoding of a response: the greatest weight in `Accept-Encoding`, the first of equals. `*` says nothing. */
export function responseEncoding(header: string | undefined): ContentEncoding {
  if (header === undefined || header === '') return 'identity'
  let best: ContentEncoding = 'identity'
  let bestWeight = 0
  for (const part of header.split(',')) {
    const [name = '', ...options] = part.split(';').map((word) => word.trim())
    if (name !== 'gzip' && name !== 'deflate' && name !== 'identity') continue
    const weight = weightOf(options)
    if (weight > bestWeight) {
      best = name
      bestWeight = weight
    }
  }
  return best
}

function weightOf(options: readonly string[]): number {
  for (const option of options) {
    if (!option.startsWith('q=')) continue
    const weight = Number(option.slice(2))
    return option.length > 2 && Number.isFinite(weight) ? weight : 0
  }
  return 1
}

/**
 * Unpacks a request body. Stops as soon as the result passes the size of a body, or grows far beyond its packed size;
 * what was unpacked until then is dropped. What it grows to is taken
 * from `hold`, in addition to the packed body.
 */
export async function inflate(
  body: Uint8Array,
  encoding: ContentEncoding,
  limits: ProtocolLimits,
  hold?: Hold,
): Promise<Uint8Array> {
  if (encoding === 'identity' || body.length === 0) return body
  const allowed = Math.max(limits.inflateFreeBytes, body.length * limits.inflateRatio)
  const reader = transformed(body, new DecompressionStream(encoding)).getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.length
      if (size > limits.bodyBytes) {
        throw invalid(
          `Decompressed data size exceeds the maximum allowed value of ${limits.bodyBytes} bytes. Use --http-max-input-size to increase the limit.`,
        )
      }
      if (size > allowed) {
        throw invalid(
          `compressed body expands too far: more than ${limits.inflateRatio} times its size`,
        )
      }
      const refusal = hold?.grow(value.length) ?? null
      if (refusal !== null) throw refusal
      chunks.push(value)
    }
  } catch (error) {
    // Neither the packed rest nor the unpacked beginning may stay behind.
    reader.cancel().catch(() => undefined)
    if (error instanceof ServerError) throw error
    throw invalid(`failed to decompress the request body as ${encoding}`)
  }
  return join(chunks, size)
}

/** Packs `parts`, one after another. */
export async function deflate(
  parts: readonly Uint8Array[],
  encoding: 'gzip' | 'deflate',
): Promise<Uint8Array> {
  let length = 0
  for (const part of parts) length += part.length
  const whole = parts.length === 1 ? (parts[0] as Uint8Array) : join(parts, length)
  const reader = transformed(whole, new CompressionStream(encoding)).getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return join(chunks, size)
    size += value.length
    chunks.push(value)
  }
}

/** Bytes given to the transform at a time: a bomb is noticed after one of them at the latest. */
const SLICE_BYTES = 16 * 1024

function transformed(
  body: Uint8Array,
  transform: CompressionStream | DecompressionStream,
): ReadableStream<Uint8Array> {
  let at = 0
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= body.length) {
        controller.close()
        return
      }
      controller.enqueue(body.subarray(at, at + SLICE_BYTES) as Uint8Array<ArrayBuffer>)
      at += SLICE_BYTES
    },
  })
  return source.pipeThrough(transform)
}

/** `parts` in one piece, copied unless there is one. */
export function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
