import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HpackDecoder } from '../../../../adapters/http2/hpack/decoder.ts'
import { headerBlock } from '../../../../adapters/http2/hpack/encoder.ts'

const hex = (fields: readonly string[]) => Buffer.from(headerBlock(fields).encoded).toString('hex')
const limits = { maxTableBytes: 4096, maxListBytes: 1 << 30, maxFields: 1 << 20 }

describe('headerBlock', () => {
  it('uses the static table', () => {
    expect(hex([':status', '200'])).toBe('88')
    expect(hex([':status', '404', ':scheme', 'https', 'accept-encoding', 'gzip, deflate'])).toBe(
      '8d8790',
    )
    expect(hex([':authority', ''])).toBe('81')
    // A known name with another value: index 8 in a four-bit prefix; Huffman code would be no shorter.
    expect(hex([':status', '307'])).toBe('0803333037')
    expect(hex(['www-authenticate', 'x']).startsWith('0f2e')).toBe(true)
  })

  it('uses Huffman code where it is shorter', () => {
    expect(hex(['content-type', 'www.example.com'])).toBe('0f108cf1e3c2e5f23a6ba0ab90f4ff')
    expect(hex(['content-type', '{}'])).toBe('0f10027b7d')
  })

  it('leaves the fields as they were given', () => {
    const fields = [':status', '200', 'grpc-status', '0']
    expect(headerBlock(fields).fields).toEqual(fields)
  })

  it('leaves the table of the other side alone', () => {
    const decoder = new HpackDecoder(limits)
    const { encoded } = headerBlock([
      ':status',
      '200',
      'content-type',
      'application/grpc',
      'x-a',
      'b',
    ])
    expect(decoder.decode(encoded)).toBe(decoder.decode(encoded))
  })

  it.each(['a\rb', 'a\nb', 'a\0b', 'a\u0100', 'emoji \u{1f600}'])('refuses %j', (value) => {
    expect(() => headerBlock(['x', value])).toThrow(RangeError)
    expect(() => headerBlock([value, 'x'])).toThrow(RangeError)
  })

  it('is decoded to what was encoded, for any octets and lengths', () => {
    const octets = fc
      .uint8Array({ maxLength: 600 })
      .map((bytes) =>
        Buffer.from(bytes.filter((one) => one !== 0 && one !== 10 && one !== 13)).toString(
          'latin1',
        ),
      )
    const name = fc.oneof(
      octets,
      fc.constantFrom(':status', ':path', 'date', 'via', 'accept-encoding'),
    )
    const value = fc.oneof(octets, fc.constantFrom('200', '/', 'gzip, deflate', ''))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (list) => {
        const fields = list.flat()
        expect(new HpackDecoder(limits).decode(headerBlock(fields).encoded).fields).toEqual(fields)
      }),
    )
  })

  it('is decoded to what was encoded around the lengths where integers grow', () => {
    for (const length of [126, 127, 128, 254, 255, 256, 16_509, 16_510, 16_511, 100_000]) {
      // '\xff' takes 26 bits in Huffman code, so it goes plain; 'a' takes 5.
      for (const text of ['\xff'.repeat(length), 'a'.repeat(length)]) {
        const list = new HpackDecoder(limits).decode(headerBlock(['x', text]).encoded)
        expect(list.fields).toEqual(['x', text])
      }
    }
  })
})
