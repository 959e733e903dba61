/** Two seeds: what collides under one does not under the other. */
const SEEDS = [0x2545f491, 0x6c8e9cf5] as const

/**
 * 256 bits of `data` as 32 characters below 256, for platforms that have no digest of their own: two runs of a hash with four
 * 32-bit lanes. Equal hashes of different data do not happen by accident; that nobody can make them up is not promised.
 */
export function portableHash(data: Uint8Array): string {
  return lanes(data, SEEDS[0]) + lanes(data, SEEDS[1])
}

function lanes(data: Uint8Array, seed: number): string {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const blocks = data.length & ~15
  let a = seed
  let b = seed ^ 0x3c6ef372
  let c = seed ^ 0xa54ff53a
  let d = seed ^ 0x510e527f
  for (let at = 0; at < blocks; at += 16) {
    a = (round(a, view.getInt32(at, true)) + b) | 0
    b = (round(b, view.getInt32(at + 4, true)) + c) | 0
    c = (round(c, view.getInt32(at + 8, true)) + d) | 0
    d = (round(d, view.getInt32(at + 12, true)) + a) | 0
  }
  for (let at = blocks; at < data.length; at++) {
    a = (round(a, data[at] as number) + b) | 0
    b = (round(b, a) + c) | 0
    c = (round(c, b) + d) | 0
    d = (round(d, c) + a) | 0
  }
  a ^= data.length
  b ^= Math.floor(data.length / 0x1_0000_0000)
  for (let i = 0; i < 3; i++) {
    a = finish(a + d)
    b = finish(b + a)
    c = finish(c + b)
    d = finish(d + c)
  }
  return text(a) + text(b) + text(c) + text(d)
}

function round(lane: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  let h = lane ^ Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

function finish(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function text(word: number): string {
  return String.fromCharCode(
    word & 0xff,
    (word >>> 8) & 0xff,
    (word >>> 16) & 0xff,
    (word >>> 24) & 0xff,
  )
}
