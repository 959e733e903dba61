import { HUFFMAN_CODES, HUFFMAN_EOS, HUFFMAN_LENGTHS, HUFFMAN_SYMBOLS } from './huffman-code.ts'

// The decoder walks the code's tree four bits at a time. No code is shorter than five bits, so a step gives one symbol at
// most. An entry: bits 0–7 the next inner node, 8–15 the symbol, then these flags.
const GIVES = 1 << 16
const BAD = 1 << 17
const NODES = HUFFMAN_SYMBOLS - 1

const { steps: STEPS, final: FINAL } = stepTables()

function stepTables(): { steps: Uint32Array; final: Uint8Array } {
  // children[2 * node + bit]: an inner node, or ~symbol; 0 = not yet made (the root is nobody's child).
  const children = new Int32Array(2 * NODES)
  let nodes = 1
  for (let symbol = 0; symbol < HUFFMAN_SYMBOLS; symbol++) {
    const code = HUFFMAN_CODES[symbol] ?? 0
    let node = 0
    for (let bit = (HUFFMAN_LENGTHS[symbol] ?? 0) - 1; bit >= 0; bit--) {
      const at = 2 * node + ((code >>> bit) & 1)
      if (bit === 0) children[at] = ~symbol
      else if (children[at] === 0) children[at] = nodes++
      node = children[at] ?? 0
    }
  }
  const steps = new Uint32Array(NODES * 16)
  for (let index = 0; index < steps.length; index++) {
    let node = index >> 4
    let entry = 0
    for (let bit = 3; bit >= 0; bit--) {
      const child = children[2 * node + ((index >> bit) & 1)] ?? 0
      if (child < 0) entry |= ~child === HUFFMAN_EOS ? BAD : GIVES | (~child << 8)
      node = child < 0 ? 0 : child
    }
    steps[index] = entry | node
  }
  // A string may end inside a code only with fewer than eight bits, all ones.
  const final = new Uint8Array(NODES)
  let node = 0
  for (let depth = 0; depth < 8; depth++) {
    final[node] = 1
    node = children[2 * node + 1] ?? 0
  }
  return { steps, final }
}

/** The most octets that `length` coded octets can stand for. */
export function huffmanDecodedMax(length: number): number {
  return Math.floor((length * 8) / 5)
}

/**
 * Decodes `bytes[start … end)` into `out` and returns the count of octets, or −1 for a code that is not allowed: EOS, or
 * padding that is longer than seven bits or not all ones.
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
): number {
  let node = 0
  let flags = 0
  let count = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    const high = STEPS[(node << 4) | (byte >> 4)] ?? 0
    if ((high & GIVES) !== 0) out[count++] = high >> 8
    const low = STEPS[((high & 0xff) << 4) | (byte & 0xf)] ?? 0
    if ((low & GIVES) !== 0) out[count++] = low >> 8
    node = low & 0xff
    flags |= high | low
  }
  return (flags & BAD) !== 0 || FINAL[node] !== 1 ? -1 : count
}

/** Octets of `text` (latin1) when coded. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let at = 0; at < text.length; at++) bits += HUFFMAN_LENGTHS[text.charCodeAt(at)] ?? 0
  return (bits + 7) >>> 3
}

/** Writes `text` (latin1) coded to `out` from `at` on; there must be room for {@link huffmanLength} octets. */
export function huffmanEncode(text: string, out: Uint8Array, at: number): void {
  let held = 0
  let bits = 0
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index)
    let code = HUFFMAN_CODES[symbol] ?? 0
    let length = HUFFMAN_LENGTHS[symbol] ?? 0
    // Up to 7 bits are held and a code has up to 30: longer ones go in two parts, so that 31 bits are never passed.
    if (length > 16) {
      length -= 16
      held = (held << length) | (code >>> 16)
      bits += length
      while (bits >= 8) {
        bits -= 8
        out[at++] = held >>> bits
      }
      held &= 0xff
      code &= 0xffff
      length = 16
    }
    held = (held << length) | code
    bits += length
    while (bits >= 8) {
      bits -= 8
      out[at++] = held >>> bits
    }
    held &= 0xff
  }
  if (bits > 0) out[at] = (held << (8 - bits)) | (0xff >>> bits)
}
