import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../core/protocol/limits.ts'
import { inflate } from '../../core/protocol/rest/content-encoding.ts'

const MIB = 1024 * 1024

describe('a compressed body', () => {
  it('that expands into 200 MB is refused early, and nothing of it stays', async () => {
    const bomb = gzipSync(new Uint8Array(200 * MIB))
    expect(bomb.length).toBeLessThan(MIB / 4)
    const before = process.memoryUsage().arrayBuffers
    await expect(inflate(bomb, 'gzip', LIMITS)).rejects.toThrow(
      'compressed body expands too far: more than 200 times its size',
    )
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB)
  })

  it('may unpack to the size of a body and not a byte more', async () => {
    const limits = { ...LIMITS, bodyBytes: 5000 }
    for (const pack of [gzipSync, deflateSync]) {
      const encoding = pack === gzipSync ? 'gzip' : 'deflate'
      const unpack = (size: number) => inflate(pack(new Uint8Array(size)), encoding, limits)
      expect(await unpack(4999)).toHaveLength(4999)
      expect(await unpack(5000)).toHaveLength(5000)
      await expect(unpack(5001)).rejects.toThrow(
        'Decompressed data size exceeds the maximum allowed value of 5000 bytes. Use --http-max-input-size to increase the limit.',
      )
    }
  })

  it('may expand by the ratio and not further, once it is no longer small', async () => {
    const packed = gzipSync(new Uint8Array(10_000))
    const ratio = (inflateRatio: number) =>
      inflate(packed, 'gzip', { ...LIMITS, inflateFreeBytes: 100, inflateRatio })
    const exact = 10_000 / packed.length
    expect(await ratio(exact + 0.1)).toHaveLength(10_000)
    await expect(ratio(exact - 0.1)).rejects.toThrow('expands too far')
    const free = { ...LIMITS, inflateFreeBytes: 10_000, inflateRatio: 1 }
    expect(await inflate(packed, 'gzip', free)).toHaveLength(10_000)
  })

  it('that fails a thousand times leaves no memory behind', async () => {
    const limits = { ...LIMITS, bodyBytes: 100_000 }
    const bomb = gzipSync(new Uint8Array(2 * MIB))
    const garbage = gzipSync(new Uint8Array(50_000)).subarray(0, 40)
    const round = async (): Promise<number> => {
      for (let i = 0; i < 250; i++) {
        await inflate(bomb, 'gzip', limits).catch(() => undefined)
        await inflate(garbage, 'gzip', limits).catch(() => undefined)
      }
      for (let i = 0; i < 5; i++) {
        globalThis.gc?.()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return process.memoryUsage().arrayBuffers + process.memoryUsage().external
    }
    const first = await round()
    const second = await round()
    expect(second - first).toBeLessThan(16 * MIB)
  })
})
