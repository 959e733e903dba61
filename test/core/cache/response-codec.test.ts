import fc from 'fast-check'
import { expect, it } from 'vitest'
import { unpackBytes } from '../../../core/bytes.ts'
import { decodeResponse, encodeResponse } from '../../../core/cache/response-codec.ts'
import type { CachedResponse } from '../../../core/cache/types.ts'

const RESPONSE: CachedResponse = {
  outputs: [
    { name: 'Ä', datatype: 'BYTES', shape: [1], data: Uint8Array.from([1, 0, 0, 0, 65]) },
    { name: 'B', datatype: 'FP64', shape: [2, 1], data: new Uint8Array(16).fill(7) },
    { name: 'C', datatype: 'INT8', shape: [0], data: new Uint8Array() },
  ],
  parameters: new Map<string, string | boolean | number | bigint>([
    ['text', 'x'],
    ['yes', true],
    ['no', false],
    ['half', 0.5],
    ['large', 2n ** 63n - 1n],
  ]),
}

it('a response comes back as it was, wherever its bytes lie', () => {
  const bytes = encodeResponse(RESPONSE)
  expect(decodeResponse(bytes)).toEqual(RESPONSE)
  const moved = new Uint8Array(bytes.length + 3)
  moved.set(bytes, 3)
  const decoded = decodeResponse(moved.subarray(3))
  expect(decoded).toEqual(RESPONSE)
  expect(decoded?.outputs.map(({ data }) => data.byteOffset % 8)).toEqual([0, 0, 0])
  expect(decodeResponse(Buffer.from(bytes))).toEqual(RESPONSE)
  moved.fill(0)
  expect(decoded).toEqual(RESPONSE)
  const bare = { outputs: [] }
  expect(decodeResponse(encodeResponse(bare))).toEqual(bare)
})

it('cut short anywhere it is none', () => {
  const bytes = encodeResponse(RESPONSE)
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeResponse(bytes.subarray(0, length))).toBeNull()
  }
})

it('bytes of others are none: nothing throws, and what is one is whole', () => {
  const bytes = encodeResponse(RESPONSE)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const changed = bytes.slice()
        for (const [at, byte] of changes) changed[at] = byte
        const decoded = decodeResponse(changed)
        for (const { shape, datatype, data } of decoded?.outputs ?? []) {
          const count = shape.reduce((product, dim) => product * dim, 1)
          if (datatype === 'FP64') expect(data.length).toBe(8 * count)
          if (datatype === 'BYTES') expect(unpackBytes(data)).toHaveLength(count)
        }
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (some) => decodeResponse(some) === null))
})
