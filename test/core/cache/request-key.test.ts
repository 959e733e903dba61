import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { nodePlatform } from '../../../adapters/platform/node.ts'
import { portableHash } from '../../../core/cache/portable-hash.ts'
import { createRequestKeys, INLINE_BYTES } from '../../../core/cache/request-key.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { InferRequest, type InferRequestOptions } from '../../../core/infer.ts'
import { DATATYPE_SIZES, type Tensor } from '../../../core/tensor.ts'

const CONFIG: ModelConfig = {
  name: 'm',
  input: [{ name: 'A' }, { name: 'B' }],
  output: [{ name: 'X' }, { name: 'Y' }, { name: 'Z' }],
}
const tensor = (name: string, bytes: readonly number[], more: Partial<Tensor> = {}): Tensor => ({
  name,
  datatype: 'UINT8',
  shape: [bytes.length],
  data: Uint8Array.from(bytes),
  ...more,
})
const BASE: InferRequestOptions = { inputs: [tensor('A', [1, 2]), tensor('B', [3])] }
const { hash, close } = nodePlatform()
close()

for (const [name, digest] of [
  ['SHA-256', hash],
  ['the portable hash', portableHash],
] as const) {
  const keys = createRequestKeys({ config: CONFIG, hash: digest })
  const key = (options: Partial<InferRequestOptions> = {}, identity = 'm/1') =>
    keys.keyOf(new InferRequest({ ...BASE, ...options }, { answer() {} }), identity)

  describe(`CACHE-02: a key by ${name}`, () => {
    it('is the same for requests that a model cannot tell apart', () => {
      expect(key()).toHaveLength(32)
      expect(key()).toBe(key())
      expect(key({ id: 'x', priority: 3, timeoutUs: 9, owner: 'me' })).toBe(key())
      expect(key({ outputs: ['Z', 'X', 'Y'] })).toBe(key())
      expect(key({ outputs: ['X', 'Z'] })).toBe(key({ outputs: ['Z', 'X'] }))
      expect(key({ parameters: new Map() })).toBe(key())
      const far = new Uint8Array([0, 1, 2]).subarray(1)
      expect(key({ inputs: [tensor('A', [], { shape: [2], data: far }), tensor('B', [3])] })).toBe(
        key(),
      )
    })

    it('differs by anything else', () => {
      const large = new Uint8Array(INLINE_BYTES + 1)
      const changed = large.slice()
      changed[INLINE_BYTES] = 1
      const inputs = (a: Partial<Tensor>) => ({ inputs: [tensor('A', [1, 2], a)] })
      const others = [
        key(),
        key({}, 'm/2'),
        key(inputs({})),
        key(inputs({ name: 'B' })),
        key(inputs({ data: Uint8Array.from([1, 3]) })),
        key(inputs({ shape: [1, 2] })),
        key(inputs({ shape: [2, 1] })),
        key(inputs({ datatype: 'INT8' })),
        key(inputs({ shape: [large.length], data: large })),
        key(inputs({ shape: [large.length], data: changed })),
        key({ inputs: [tensor('A', [1]), tensor('B', [2, 3])] }),
        key({ inputs: [tensor('A', [1, 2, 3]), tensor('B', [])] }),
        key({ outputs: ['X'] }),
        key({ outputs: ['Y'] }),
        key({ outputs: ['X', 'Y'] }),
        key({ outputs: [] }),
        key({ parameters: new Map([['p', 1n]]) }),
        key({ parameters: new Map([['p', 1]]) }),
        key({ parameters: new Map([['p', '1']]) }),
        key({ parameters: new Map([['p', true]]) }),
        key({ parameters: new Map([['q', 1n]]) }),
        key({
          parameters: new Map([
            ['p', 1n],
            ['q', 1n],
          ]),
        }),
        key({ parameters: new Map([['p', '1bi1']]) }),
      ]
      expect(new Set(others).size).toBe(others.length)
    })

    it('is no use to somebody who makes the end of one tensor look like the beginning of the next', () => {
      const header = new Uint8Array(4 + 1 + 1 + 8 + 8)
      const view = new DataView(header.buffer)
      view.setUint32(0, 1, true)
      header[4] = Object.keys(DATATYPE_SIZES).indexOf('BYTES')
      header[5] = 1
      view.setFloat64(6, 1, true)
      const bytes = (name: string, data: readonly number[]) =>
        tensor(name, data, { datatype: 'BYTES', shape: [1] })
      const pair = (a: readonly number[], b: readonly number[]) =>
        key({ inputs: [bytes('A', a), bytes('B', b)] })
      expect(pair([1], [2, ...header, 3])).not.toBe(pair([1, ...header, 2], [3]))
    })

    it('does not depend on what was hashed before', () => {
      const before = key()
      const many = Array.from({ length: 40 }, () => tensor('A', new Array(4000).fill(1)))
      key({ inputs: many })
      expect(key()).toBe(before)
    })
  })
}

it('the hash of a Node platform is SHA-256', () => {
  const data = Uint8Array.from([1, 2, 3])
  expect(Buffer.from(hash(data), 'binary').toString('hex')).toBe(
    createHash('sha256').update(data).digest('hex'),
  )
})

describe('the portable hash', () => {
  it('is the same in every process', () => {
    const hex = Buffer.from(portableHash(new TextEncoder().encode('nereid')), 'binary')
    expect(hex.toString('hex')).toMatchInlineSnapshot(
      `"b4d406dc314f4159d95e15a84219b34602507b9086ddea49f02861f0a6145eaf"`,
    )
  })

  it('tells apart what differs in one bit or in length', () => {
    const seen = new Set<string>()
    let count = 0
    for (let length = 0; length <= 40; length++) {
      for (let bit = -1; bit < length * 8; bit++) {
        const data = new Uint8Array(length)
        if (bit >= 0) data[bit >> 3] = 1 << (bit & 7)
        const out = portableHash(data)
        for (const half of [out.slice(0, 16), out.slice(16)]) seen.add(half)
        count += 2
      }
    }
    expect(seen.size).toBe(count)
  })

  it('spreads one bit over the whole', () => {
    const ones = (text: string) =>
      [...text].reduce(
        (sum, char) => sum + char.charCodeAt(0).toString(2).replaceAll('0', '').length,
        0,
      )
    const base = portableHash(new Uint8Array(64))
    let changed = 0
    for (let bit = 0; bit < 512; bit++) {
      const data = new Uint8Array(64)
      data[bit >> 3] = 1 << (bit & 7)
      const other = portableHash(data)
      const xor = [...other].map((char, i) =>
        String.fromCharCode(char.charCodeAt(0) ^ base.charCodeAt(i)),
      )
      changed += ones(xor.join(''))
    }
    // Of 256 bits one half changes on average.
    expect(changed / 512).toBeGreaterThan(120)
    expect(changed / 512).toBeLessThan(136)
  })
})
