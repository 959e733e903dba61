import { describe, expect, it } from 'vitest'
import { HpackDecoder, HpackError } from '../../../../adapters/http2/hpack/decoder.ts'

const decoder = (options = {}) =>
  new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 16_384, maxFields: 100, ...options })
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const pairs = (text: string) => text.split(' | ').flatMap((one) => one.split(/(?<=.): /))

/** RFC 7541 appendix C: series of blocks on one connection and what they decode to. */
const REQUESTS = [
  ':method: GET | :scheme: http | :path: / | :authority: www.example.com',
  ':method: GET | :scheme: http | :path: / | :authority: www.example.com | cache-control: no-cache',
  ':method: GET | :scheme: https | :path: /index.html | :authority: www.example.com | custom-key: custom-value',
]
const RESPONSES = [
  ':status: 302 | cache-control: private | date: Mon, 21 Oct 2013 20:13:21 GMT | location: https://www.example.com',
  ':status: 307 | cache-control: private | date: Mon, 21 Oct 2013 20:13:21 GMT | location: https://www.example.com',
  ':status: 200 | cache-control: private | date: Mon, 21 Oct 2013 20:13:22 GMT | location: https://www.example.com | ' +
    'content-encoding: gzip | set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
]
/** A size update to 256, which the RFC's responses presume. */
const TABLE_256 = '3fe101'
const SERIES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'C.3, requests without Huffman code',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    REQUESTS,
  ],
  [
    'C.4, requests with Huffman code',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    REQUESTS,
  ],
  [
    'C.5, responses without Huffman code and with evictions',
    [
      `${TABLE_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54` +
        '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738' +
        '666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
    RESPONSES,
  ],
  [
    'C.6, responses with Huffman code and with evictions',
    [
      `${TABLE_256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f36' +
        '72c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
    RESPONSES,
  ],
]

describe('HpackDecoder', () => {
  it.each(SERIES)('decodes RFC 7541 %s', (_, blocks, lists) => {
    const one = decoder()
    for (const [at, block] of blocks.entries()) {
      expect(one.decode(hex(block)).fields).toEqual(pairs(lists[at]!))
    }
  })

  it('decodes the literal forms of RFC 7541 C.2', () => {
    const one = decoder()
    const fields = (block: string) => one.decode(hex(block)).fields
    expect(fields('040c2f73616d706c652f70617468')).toEqual([':path', '/sample/path'])
    expect(fields('100870617373776f726406736563726574')).toEqual(['password', 'secret'])
    // Neither went to the table.
    expect(() => one.decode(hex('be'))).toThrow(HpackError)
    expect(fields('400a637573746f6d2d6b65790d637573746f6d2d686561646572')).toEqual(
      pairs('custom-key: custom-header'),
    )
  })

  it('counts a list as RFC 9113 §6.5.2 does', () => {
    const list = decoder().decode(hex('8286'))
    expect(list.bytes).toBe(':methodGET'.length + ':schemehttp'.length + 64)
    expect(list.tooLarge).toBe(false)
    expect(list.head).toBe(null)
  })

  describe('gives the same list for the same block', () => {
    const FIRST = hex('828684410f7777772e6578616d706c652e636f6d')
    const REPEATED = hex('828684be')

    it('while the table does not change, whatever memory the block comes in', () => {
      const one = decoder()
      one.decode(FIRST)
      const list = one.decode(REPEATED)
      expect(list.fields).toEqual(pairs(REQUESTS[0]!))
      const other = one.decode(hex('8287'))
      const reused = Buffer.from(REPEATED)
      expect(one.decode(reused)).toBe(list)
      reused.fill(0)
      expect(one.decode(REPEATED)).toBe(list)
      expect(one.decode(hex('8287'))).toBe(other)
    })

    it('but not after an insertion moved the table', () => {
      const one = decoder()
      one.decode(FIRST)
      const list = one.decode(REPEATED)
      one.decode(hex('410161'))
      const after = one.decode(REPEATED)
      expect(after).not.toBe(list)
      expect(after.fields).toEqual([
        ':method',
        'GET',
        ':scheme',
        'http',
        ':path',
        '/',
        ':authority',
        'a',
      ])
    })

    it('but not after a size update emptied the table', () => {
      const one = decoder()
      one.decode(FIRST)
      one.decode(REPEATED)
      one.decode(hex('2082'))
      expect(() => one.decode(REPEATED)).toThrow(HpackError)
    })

    it('and a block that inserts is decoded each time', () => {
      const one = decoder()
      expect(one.decode(FIRST)).not.toBe(one.decode(FIRST))
      // Both insertions are there.
      expect(one.decode(hex('bebf')).fields).toEqual(
        pairs(':authority: www.example.com | :authority: www.example.com'),
      )
    })

    it('for a few blocks only, the least recently used goes first', () => {
      const one = decoder()
      const kept = one.decode(hex('82'))
      const block = (at: number) => Buffer.from([0x80 | (20 + at)])
      const first = one.decode(block(0))
      for (let at = 1; at < 30; at++) {
        one.decode(block(at))
        expect(one.decode(hex('82'))).toBe(kept)
      }
      expect(one.decode(block(0))).not.toBe(first)
      expect(one.decode(block(0)).fields).toEqual(first.fields)
    })
  })

  it.each([
    ['index 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name index beyond both tables', '7f0000'],
    ['an integer without its end', '1f'],
    ['an integer that goes on', 'ffffffff'],
    ['an integer over 28 bits', 'ff8080808001'],
    ['an integer of many octets that mean nothing', 'ff808080808080808000'],
    ['a string longer than the block', '000161057a'],
    ['a string of 2^28 octets', '00ff80808040'],
    ['a literal without its value', '000161'],
    ['a size update over the limit', '3fe21f'],
    ['a size update after a field', '8220'],
    ['a Huffman string with EOS', '000084ffffffff'],
    ['Huffman padding of zeros', '00008106'],
    ['Huffman padding of more than seven ones', '00008207ff'],
  ])('refuses %s', (_, block) => {
    expect(() => decoder().decode(hex(block))).toThrow(HpackError)
  })

  it('takes a table size of exactly the limit, several times at the start, and zero', () => {
    expect(decoder().decode(hex('203fe11f82')).fields).toEqual([':method', 'GET'])
  })

  it('empties the table for an entry that is larger than it', () => {
    const one = decoder()
    one.decode(hex('3f21' + '410161'))
    expect(one.decode(hex('be')).fields).toEqual([':authority', 'a'])
    one.decode(Buffer.concat([hex('417e'), Buffer.alloc(126, 'x')]))
    expect(() => one.decode(hex('be'))).toThrow(HpackError)
  })

  it('cuts a list of too many fields and says so, and keeps the table right', () => {
    const one = decoder({ maxFields: 3 })
    const list = one.decode(hex('82868482' + '410161'))
    expect(list.tooLarge).toBe(true)
    expect(list.fields).toEqual([':method', 'GET', ':scheme', 'http', ':path', '/'])
    expect(one.decode(hex('be')).fields).toEqual([':authority', 'a'])
  })

  it('bounds what a small block may grow to', () => {
    const one = decoder()
    one.decode(Buffer.concat([hex('417fa11e'), Buffer.alloc(127 + 0xa1 - 0x80 + (0x1e << 7), 'x')]))
    const list = one.decode(Buffer.alloc(16_384, 0xbe))
    expect(list.bytes).toBeGreaterThan(60_000_000)
    expect(list.tooLarge).toBe(true)
    expect(list.fields.join('').length).toBeLessThanOrEqual(16_384)
  })
})
