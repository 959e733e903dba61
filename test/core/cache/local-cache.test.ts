import { describe, expect, it } from 'vitest'
import { copyResponse, responseBytes } from '../../../core/cache/copy-response.ts'
import { localCache } from '../../../core/cache/local-cache.ts'
import type { CachedResponse, ResponseCache } from '../../../core/cache/types.ts'

const response = (bytes: number, mark = 0): CachedResponse => ({
  outputs: [
    { name: 'Y', datatype: 'UINT8', shape: [bytes], data: new Uint8Array(bytes).fill(mark) },
  ],
})
const SIZE = responseBytes(response(1000))
const has = (cache: ResponseCache, keys: string) =>
  [...keys].filter((key) => cache.get(key) !== null).join('')

describe('CACHE-04: a local cache', () => {
  it('gives back what was put, and nothing else', () => {
    const cache = localCache({ size: 100_000 })
    const one = response(1000, 1)
    expect(cache.put('a', one)).toBe(true)
    expect(cache.get('a')).toBe(one)
    expect(cache.get('b')).toBeNull()
    expect(cache.put('a', response(1000, 2))).toBe(false)
    expect(cache.get('a')).toBe(one)
  })

  it('drops what was not asked for the longest when it is full', () => {
    const cache = localCache({ size: 3 * SIZE })
    for (const key of 'abc') cache.put(key, response(1000))
    void cache.get('a')
    cache.put('d', response(1000))
    expect(has(cache, 'abcd')).toBe('acd')
    expect(cache.figures?.()).toEqual({ entries: 3, bytes: 3 * SIZE, evictions: 1 })
  })

  it('drops as many as a large one needs, and never holds more than its size', () => {
    const cache = localCache({ size: 4 * SIZE })
    for (const key of 'abcd') cache.put(key, response(1000))
    cache.put('e', response(1001))
    expect(has(cache, 'abcde')).toBe('cde')
    expect(cache.figures?.().bytes).toBeLessThanOrEqual(4 * SIZE)
  })

  it('takes one response up to an eighth of its size', () => {
    expect(localCache({ size: 8000 }).maxEntryBytes).toBe(1000)
  })

  it('keeps what it has when one does not fit at all', () => {
    const cache = localCache({ size: 100 })
    cache.put('a', response(1000))
    expect(cache.figures?.()).toMatchObject({ entries: 0, bytes: 0 })
  })

  it('is empty once it is closed', async () => {
    const cache = localCache({ size: 100_000 })
    cache.put('a', response(1))
    await cache.close()
    await cache.close()
    expect(cache.figures?.()).toMatchObject({ entries: 0, bytes: 0 })
  })

  it('refuses a size of nothing', () => {
    for (const size of [0, -1, 1.5, Number.NaN]) {
      expect(() => localCache({ size })).toThrow(`above 0, got ${size}`)
    }
  })
})

describe('a copy of a response', () => {
  it('is on one memory of its own, each tensor where any typed array may begin', () => {
    const source = new Uint8Array(64).map((_, i) => i)
    const copy = copyResponse({
      outputs: [
        { name: 'A', datatype: 'UINT8', shape: [3], data: source.subarray(1, 4) },
        { name: 'B', datatype: 'INT64', shape: [1], data: source.subarray(5, 13) },
        { name: 'C', datatype: 'UINT8', shape: [0], data: new Uint8Array() },
      ],
      parameters: new Map([['p', 1n]]),
    })
    source.fill(0)
    const [a, b, c] = copy.outputs
    expect([...a!.data]).toEqual([1, 2, 3])
    expect([...b!.data]).toEqual([5, 6, 7, 8, 9, 10, 11, 12])
    expect(c).toEqual({ name: 'C', datatype: 'UINT8', shape: [0], data: new Uint8Array() })
    expect(b!.data.byteOffset % 8).toBe(0)
    expect(b!.data.buffer).toBe(a!.data.buffer)
    expect(copy.parameters).toEqual(new Map([['p', 1n]]))
  })

  it('weighs more than its bytes', () => {
    expect(SIZE).toBeGreaterThan(1000)
    const named = { ...response(1000), parameters: new Map([['name', 'x'.repeat(100)]]) }
    expect(responseBytes(named)).toBe(SIZE + 104)
  })
})
