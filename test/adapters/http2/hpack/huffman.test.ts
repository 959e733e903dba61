import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  huffmanDecode,
  huffmanDecodedMax,
  huffmanEncode,
  huffmanLength,
} from '../../../../adapters/http2/hpack/huffman.ts'
import { HUFFMAN_CODES, HUFFMAN_LENGTHS } from '../../../../adapters/http2/hpack/huffman-code.ts'

const encode = (text: string) => {
  const out = new Uint8Array(huffmanLength(text))
  huffmanEncode(text, out, 0)
  return out
}
const decode = (bytes: Uint8Array) => {
  const out = Buffer.alloc(huffmanDecodedMax(bytes.length))
  const count = huffmanDecode(bytes, 0, bytes.length, out)
  return count < 0 ? null : out.toString('latin1', 0, count)
}

describe('Huffman code', () => {
  it('has the codes of RFC 7541 appendix B', () => {
    // One of each kind; the sum shows that no length is wrong (Kraft).
    const known: [number, number, number][] = [
      [0x30, 0x0, 5],
      [0x20, 0x14, 6],
      [0x3a, 0x5c, 7],
      [0x26, 0xf8, 8],
      [0x21, 0x3f8, 10],
      [0x7c, 0x7fc, 11],
      [0x23, 0xffa, 12],
      [0x00, 0x1ff8, 13],
      [0x7d, 0x3ffd, 14],
      [0x7b, 0x7ffe, 15],
      [0x5c, 0x7fff0, 19],
      [0x80, 0xfffe6, 20],
      [0x99, 0x1fffdc, 21],
      [0x81, 0x3fffd2, 22],
      [0x01, 0x7fffd8, 23],
      [0x09, 0xffffea, 24],
      [0xc7, 0x1ffffec, 25],
      [0xc0, 0x3ffffe0, 26],
      [0xcb, 0x7ffffde, 27],
      [0x02, 0xfffffe2, 28],
      [0x16, 0x3ffffffe, 30],
      [256, 0x3fffffff, 30],
    ]
    for (const [symbol, code, length] of known) {
      expect([symbol, HUFFMAN_CODES[symbol], HUFFMAN_LENGTHS[symbol]]).toEqual([
        symbol,
        code,
        length,
      ])
    }
    let sum = 0
    for (const length of HUFFMAN_LENGTHS) sum += 2 ** -length
    expect(sum).toBe(1)
  })

  it('comes back as it was for every octet', () => {
    for (let octet = 0; octet < 256; octet++) {
      const text = String.fromCharCode(octet)
      expect(decode(encode(text))).toBe(text)
      expect(decode(encode(`a${text}${text}b`))).toBe(`a${text}${text}b`)
    }
  })

  it('comes back as it was for any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = Buffer.from(bytes).toString('latin1')
        expect(decode(encode(text))).toBe(text)
      }),
    )
  })

  it('is decoded only from the one right form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decode(bytes)
        if (text !== null) expect(Buffer.from(encode(text))).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 5_000 },
    )
  })

  it('may end with up to seven ones, and with nothing else', () => {
    expect(decode(Uint8Array.of(0x07))).toBe('0')
    expect(decode(Uint8Array.of(0x06))).toBe(null)
    expect(decode(Uint8Array.of(0x07, 0xff))).toBe(null)
    expect(decode(Uint8Array.of(0xff))).toBe(null)
    expect(decode(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toBe(null)
  })
})
