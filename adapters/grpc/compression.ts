import {
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib'
import type { Gate } from '../../core/overload/types.ts'
import { statusOf } from './call-status.ts'
import { type CallStatus, Status } from './types.ts'

/** `grpc-encoding` of a call's messages. */
export type Coding = 'identity' | 'gzip' | 'deflate'

/** What `grpc-accept-encoding` of the server says. */
export const ACCEPTED_CODINGS = 'identity,deflate,gzip'

/** `--grpc-infer-response-compression-level`. */
export type CompressionLevel = 'none' | 'low' | 'medium' | 'high'

/** Messages up to this size are compressed and expanded at once; a worker thread of Node's pool takes the rest. */
export const INLINE_BYTES: number = 64 * 1024
const PIECE_BYTES: number = 64 * 1024

export function isCoding(text: string): text is Coding {
  return text === 'identity' || text === 'gzip' || text === 'deflate'
}

/** What gRPC's own servers choose for a level, among what the client accepts: they rank gzip below deflate. */
export function codingForLevel(level: CompressionLevel, accepted: string | undefined): Coding {
  if (level === 'none' || accepted === undefined) return 'identity'
  const names = accepted.split(',').map((name) => name.trim())
  const ranked = (['gzip', 'deflate'] as const).filter((name) => names.includes(name))
  const [first = 'identity', last = first] = ranked
  return level === 'low' ? first : last
}

export interface InflateLimits {
  /** Bytes of the message once it is expanded. */
  readonly maxBytes: number
  /** How far it may expand beyond `freeBytes`. */
  readonly ratio: number
  readonly freeBytes: number
  readonly gate: Gate | undefined
}

/** Called once, perhaps before {@link inflate} returns. `held` bytes were taken at the gate beyond the compressed ones. */
export type InflateDone = (status: CallStatus | null, bytes: Uint8Array, held: number) => void

const NOTHING = new Uint8Array(0)

/**
 * Expands one message; never more than the limits allow is in memory. The returned function stops it: `done` is not called
 * any more and what was taken at the gate is added to by nobody.
 */
export function inflate(
  message: Uint8Array,
  coding: Exclude<Coding, 'identity'>,
  limits: InflateLimits,
  done: InflateDone,
): { stop(): number } {
  const byRatio = Math.max(limits.freeBytes, message.length * limits.ratio)
  const most = Math.min(limits.maxBytes, byRatio)
  if (message.length <= INLINE_BYTES) {
    const whole = inflateAtOnce(message, coding, Math.min(most, INLINE_BYTES))
    if (whole === 'malformed') {
      done(malformed(coding), NOTHING, 0)
      return STOPPED
    }
    if (whole !== 'large') {
      const refusal = limits.gate?.grow(whole.length) ?? null
      if (refusal === null) done(null, whole, whole.length)
      else done(statusOf(refusal), NOTHING, 0)
      return STOPPED
    }
  }

  const pieces: Uint8Array[] = []
  let held = 0
  let settled = false
  const unzip =
    coding === 'gzip'
      ? createGunzip({ chunkSize: PIECE_BYTES })
      : createInflate({ chunkSize: PIECE_BYTES })
  const settle = (status: CallStatus | null): void => {
    if (settled) return
    settled = true
    unzip.destroy()
    done(status, status === null ? Buffer.concat(pieces, held) : NOTHING, held)
  }
  unzip.on('data', (piece: Buffer) => {
    if (settled) return
    if (held + piece.length > most) {
      settle(
        held + piece.length > limits.maxBytes
          ? tooLarge(held + piece.length, limits.maxBytes)
          : EXPANDS,
      )
      return
    }
    const refusal = limits.gate?.grow(piece.length) ?? null
    if (refusal !== null) {
      settle(statusOf(refusal))
      return
    }
    held += piece.length
    pieces.push(piece)
  })
  unzip.on('end', () => settle(null))
  unzip.on('error', () => settle(malformed(coding)))
  unzip.end(message)
  return {
    stop() {
      settled = true
      unzip.destroy()
      return held
    },
  }
}

const STOPPED = { stop: (): number => 0 }

const EXPANDS: CallStatus = {
  code: Status.RESOURCE_EXHAUSTED,
  message: 'compressed message expands too far',
}

/** The status for a message of `bytes`, where `limit` are allowed. */
export function tooLarge(bytes: number, limit: number): CallStatus {
  return {
    code: Status.RESOURCE_EXHAUSTED,
    message: `received message larger than max (${bytes} vs. ${limit})`,
  }
}

function malformed(coding: Coding): CallStatus {
  return {
    code: Status.INTERNAL,
    message: `failed to decompress message: it is not valid ${coding}`,
  }
}

function inflateAtOnce(
  message: Uint8Array,
  coding: Coding,
  most: number,
): Uint8Array | 'large' | 'malformed' {
  try {
    const options = { maxOutputLength: Math.max(1, most) }
    return coding === 'gzip' ? gunzipSync(message, options) : inflateSync(message, options)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'large' : 'malformed'
  }
}

/** Compresses a message in pieces; `done` gets null when that does not make it smaller. Never called before it returns. */
export function deflate(
  parts: readonly Uint8Array[],
  byteLength: number,
  coding: Exclude<Coding, 'identity'>,
  done: (compressed: Uint8Array | null) => void,
): void {
  const zip = coding === 'gzip' ? createGzip() : createDeflate()
  const pieces: Uint8Array[] = []
  let size = 0
  zip.on('data', (piece: Buffer) => {
    pieces.push(piece)
    size += piece.length
  })
  zip.on('end', () => done(size < byteLength ? Buffer.concat(pieces, size) : null))
  zip.on('error', () => done(null))
  for (const part of parts) zip.write(part)
  zip.end()
}

/** {@link deflate} for a message of at most {@link INLINE_BYTES}. */
export function deflateAtOnce(
  parts: readonly Uint8Array[],
  byteLength: number,
  coding: Exclude<Coding, 'identity'>,
): Uint8Array | null {
  const whole = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, byteLength)
  const compressed = coding === 'gzip' ? gzipSync(whole) : deflateSync(whole)
  return compressed.length < byteLength ? compressed : null
}
