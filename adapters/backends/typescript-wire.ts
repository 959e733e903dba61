import { type ErrorCode, isErrorCode, ServerError } from '../../core/errors.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { WireError, WireTensor } from './typescript-messages.ts'

/** Where tensors begin, so that every typed array can be a view. */
const ALIGNMENT = 8

const aligned = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT

/** Tensors of several requests or responses, and the one buffer that they travel in. */
export interface Packed {
  readonly groups: readonly (readonly WireTensor[])[]
  readonly buffer: ArrayBuffer
}

/** What is sent where there are no tensors. */
export function noBytes(): ArrayBuffer {
  return new ArrayBuffer(0)
}

/** Copies the tensors into one buffer, each where a typed array can begin. */
export function packAligned(groups: readonly (readonly Tensor[])[]): Packed {
  let size = 0
  for (const tensors of groups) for (const { data } of tensors) size = aligned(size) + data.length
  const bytes = new Uint8Array(size)
  let at = 0
  const packed = groups.map((tensors) =>
    tensors.map((tensor): WireTensor => {
      at = aligned(at)
      const wire = wireTensor(tensor, at)
      bytes.set(tensor.data, at)
      at += tensor.data.length
      return wire
    }),
  )
  return { groups: packed, buffer: bytes.buffer }
}

/**
 * Copies the tensors into one buffer, first tensors first: where all groups have the same ones, each lies end to end and
 * can be read as a single joined one.
 */
export function packJoined(groups: readonly (readonly Tensor[])[]): Packed {
  let size = 0
  let most = 0
  for (const tensors of groups) {
    most = Math.max(most, tensors.length)
    for (const { data } of tensors) size += data.length
  }
  const bytes = new Uint8Array(size)
  const packed: WireTensor[][] = groups.map(() => [])
  let at = 0
  for (let i = 0; i < most; i++) {
    for (let j = 0; j < groups.length; j++) {
      const tensor = groups[j]?.[i]
      if (tensor === undefined) continue
      packed[j]?.push(wireTensor(tensor, at))
      bytes.set(tensor.data, at)
      at += tensor.data.length
    }
  }
  return { groups: packed, buffer: bytes.buffer }
}

/** A view on the message's buffer. */
export function tensorOf(wire: WireTensor, buffer: ArrayBuffer): Tensor {
  const { name, datatype, shape, at, length } = wire
  return { name, datatype, shape, data: new Uint8Array(buffer, at, length) }
}

/** Anything thrown, as it can be sent: `code` where it has one of Triton's, else `otherwise`. */
export function wireError(error: unknown, otherwise: ErrorCode): WireError {
  const message = error instanceof Error ? error.message : String(error)
  const code = codeOf(error)
  return { code: isErrorCode(code) ? code : otherwise, message }
}

export function serverError({ code, message }: WireError): ServerError {
  return new ServerError(code, message)
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function wireTensor({ name, datatype, shape, data }: Tensor, at: number): WireTensor {
  return { name, datatype, shape, at, length: data.length }
}
