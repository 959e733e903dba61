import { describe, expect, it } from 'vitest'
import { HpackDecoder, HpackError } from '../../../../adapters/http2/hpack/decoder.ts'
import { headerBlock } from '../../../../adapters/http2/hpack/encoder.ts'
import { seeded } from './seeded.ts'
import { TableEncoder } from './table-encoder.ts'

const BLOCKS = 100_000
const limits = { maxTableBytes: 4096, maxListBytes: 16_384, maxFields: 100 }

describe('HpackDecoder with an encoder of its own table', () => {
  it('gives every list as it was encoded, over many blocks of one connection', () => {
    const { random, seed } = seeded()
    for (let round = 0; round < 20; round++) {
      const decoder = new HpackDecoder(limits)
      const encoder = new TableEncoder(random)
      for (let at = 0; at < 500; at++) {
        const fields = encoder.randomFields()
        const message = `seed ${seed}, round ${round}, block ${at}`
        expect(decoder.decode(encoder.encode(fields)).fields, message).toEqual(fields)
      }
    }
  })
})

describe('HpackDecoder with bytes of an attacker', () => {
  it(`throws nothing but HpackError in ${BLOCKS} mutated blocks, and gives bounded lists`, () => {
    const { random, seed } = seeded()
    const below = (limit: number) => Math.floor(random() * limit)
    let decoder = new HpackDecoder(limits)
    let encoder = new TableEncoder(random)
    let refused = 0
    for (let at = 0; at < BLOCKS; at++) {
      let block = Buffer.from(
        random() < 0.8
          ? encoder.encode(encoder.randomFields())
          : headerBlock(encoder.randomFields()).encoded,
      )
      for (let left = below(4); left > 0 && block.length > 0; left--) {
        const where = below(block.length)
        const kind = below(4)
        if (kind === 0) block[where] = below(256)
        else if (kind === 1) block[where] = block[where]! ^ (1 << below(8))
        else if (kind === 2) block = block.subarray(0, where)
        else
          block = Buffer.concat([
            block.subarray(0, where),
            Buffer.alloc(below(8), below(256)),
            block.subarray(where),
          ])
      }
      try {
        const list = decoder.decode(block)
        let octets = 0
        for (const field of list.fields) octets += field.length
        if (octets + list.fields.length * 16 > limits.maxListBytes)
          throw new Error('list over its limit')
      } catch (error) {
        if (!(error instanceof HpackError))
          throw new Error(`seed ${seed}, block ${at}`, { cause: error })
        refused++
        decoder = new HpackDecoder(limits)
        encoder = new TableEncoder(random)
      }
    }
    expect(refused).toBeGreaterThan(BLOCKS / 20)
    expect(refused).toBeLessThan(BLOCKS)
  })
})
