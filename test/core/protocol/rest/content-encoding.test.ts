import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import {
  deflate,
  inflate,
  requestEncoding,
  responseEncoding,
} from '../../../../core/protocol/rest/content-encoding.ts'
import { failure, utf8 } from './fake-server.ts'

describe('the encoding of a response', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['gzip, deflate', 'gzip'],
    ['deflate, gzip', 'deflate'],
    ['gzip;q=0.5, deflate', 'deflate'],
    ['gzip;q=0.5, deflate;q=0.8, identity;q=0.9', 'identity'],
    ['br, *;q=1', 'identity'],
    ['gzip;q=0', 'identity'],
    ['gzip;q=x', 'identity'],
    ['gzip; q=0.7,deflate;q=0.3', 'gzip'],
    ['GZIP', 'identity'],
  ] as const)('for Accept-Encoding %j is %s', (header, encoding) => {
    expect(responseEncoding(header)).toBe(encoding)
  })
})

describe('the encoding of a request', () => {
  it('is refused unless it is gzip or deflate', () => {
    expect([undefined, '', 'identity', 'gzip', 'deflate'].map(requestEncoding)).toEqual([
      'identity',
      'identity',
      'identity',
      'gzip',
      'deflate',
    ])
    for (const header of ['br', 'GZIP', 'gzip, gzip']) {
      expect(failure(() => requestEncoding(header))).toBe(
        'UNSUPPORTED: Unsupported compression type',
      )
    }
  })
})

describe('a body', () => {
  const body = utf8('nereid '.repeat(20_000))

  it('is unpacked from what zlib packed, and packed for it', async () => {
    expect(await inflate(gzipSync(body), 'gzip', LIMITS)).toEqual(body)
    expect(await inflate(deflateSync(body), 'deflate', LIMITS)).toEqual(body)
    const parts = [body.subarray(0, 5), body.subarray(5)]
    expect(new Uint8Array(gunzipSync(await deflate(parts, 'gzip')))).toEqual(body)
    expect(new Uint8Array(inflateSync(await deflate(parts, 'deflate')))).toEqual(body)
  })

  it('that is not what it says is refused', async () => {
    const packed = gzipSync(body)
    const wrong: [Uint8Array, 'gzip' | 'deflate'][] = [
      [utf8('not gzip at all'), 'gzip'],
      [packed.subarray(0, 100), 'gzip'],
      [packed, 'deflate'],
      [deflateRawSync(body), 'deflate'],
      [new Uint8Array([...packed, 1]), 'gzip'],
    ]
    for (const [bytes, encoding] of wrong) {
      await expect(inflate(bytes, encoding, LIMITS)).rejects.toThrow(
        `failed to decompress the request body as ${encoding}`,
      )
    }
  })
})
