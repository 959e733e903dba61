/** Bytes that stand for themselves in `grpc-message`: printable ASCII without the percent sign. */
const isPlain = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== 0x25

/** Longest status message that is sent, bytes of its text: peers take about 8 KiB of metadata. */
export const MAX_MESSAGE_BYTES = 4096

/** `message` as `grpc-message` carries it: UTF-8, percent-encoded, cut at {@link MAX_MESSAGE_BYTES}. */
export function percentEncode(message: string): string {
  const bytes = new TextEncoder().encode(message)
  const length = wholeCharacters(bytes, MAX_MESSAGE_BYTES)
  let encoded = ''
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number
    encoded += isPlain(byte)
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The most bytes up to `limit` that end with a whole character. */
function wholeCharacters(bytes: Uint8Array, limit: number): number {
  if (bytes.length <= limit) return bytes.length
  let length = limit
  while (length > 0 && ((bytes[length] as number) & 0xc0) === 0x80) length--
  return length
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** The bytes of one value of a `-bin` field, padded or not; undefined when it is no base64. */
export function binaryMetadata(value: string): Uint8Array | undefined {
  return BASE64.test(value) ? Buffer.from(value, 'base64') : undefined
}

/**
 * What `name: value` says: the text of a `-bin` field is its bytes as UTF-8, where they are that; otherwise it stays as it
 * was sent.
 */
export function metadataText(name: string, value: string): string {
  if (!name.endsWith('-bin')) return value
  const bytes = binaryMetadata(value)
  if (bytes === undefined) return value
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return value
  }
}
