import { invalid } from './json-value.ts'

const NAME = 'Inference-Header-Content-Length'

/**
 * Bytes of the JSON part from the header field `Inference-Header-Content-Length` (undefined = the field is absent: the
 * whole body is JSON). Only plain decimal numbers are taken; signs, hexadecimals and fractions are refused.
 */
export function parseHeaderLength(text: string | undefined, bodyLength: number): number {
  if (text === undefined) return bodyLength
  if (!/^-?\d{1,10}$/.test(text)) throw invalid(`Unable to parse ${NAME}, got: ${text}`)
  const length = Number(text)
  checkHeaderLength(length, bodyLength)
  return length
}

/** `length` is NaN where a field was no decimal number. */
export function checkHeaderLength(length: number, bodyLength: number): void {
  if (Number.isNaN(length)) throw invalid(`Unable to parse ${NAME}: not a decimal number`)
  if (Number.isInteger(length) && length >= 0 && length <= bodyLength) return
  throw invalid(`inference header size should be in range (0, ${bodyLength}), got: ${length}`)
}
