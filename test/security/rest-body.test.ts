import { describe, expect, it } from 'vitest'
import { createApp } from '../../adapters/http/app.ts'
import { DEFAULT_PROTOCOL_LIMITS, type ProtocolLimits } from '../../core/protocol/limits.ts'
import { fakeLogControl, fakeModel, fakeServer } from '../core/protocol/rest/fake-server.ts'

const URL = 'http://localhost:8000/v2/models/echo/infer'
const REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2.5] }],
})

function setUp(limits: ProtocolLimits) {
  const quiet = (): void => undefined
  const log = { ...fakeLogControl(), error: quiet, warning: quiet, info: quiet, verbose: quiet }
  return createApp({ server: fakeServer(fakeModel()), log, limits })
}
const chunked = (chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> => {
  const rest = chunks[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

describe('a body', () => {
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: 1000, bodyChunks: 10 }
  const padded = (size: number): Uint8Array => new TextEncoder().encode(REQUEST.padEnd(size))
  const status = async (body: BodyInit, headers: Record<string, string> = {}) => {
    const response = await setUp(limits).fetch(
      new Request(URL, { method: 'POST', body, headers, duplex: 'half' } as RequestInit),
    )
    return [response.status, (await response.json()).error]
  }
  const tooLarge =
    'request body size exceeds the maximum allowed value of 1000 bytes. Use --http-max-input-size to increase the limit.'

  it('may be as large as the limit and not a byte larger, declared or not', async () => {
    for (const [size, expected] of [
      [999, 200],
      [1000, 200],
      [1001, 400],
    ] as const) {
      const error = expected === 200 ? undefined : tooLarge
      expect(await status(padded(size) as Uint8Array<ArrayBuffer>)).toEqual([expected, error])
      const halves = [padded(size).subarray(0, 500), padded(size).subarray(500)]
      expect(await status(chunked(halves))).toEqual([expected, error])
    }
  })

  it('that declares too much is refused before it is read', async () => {
    let read = 0
    const body = chunked(
      (function* () {
        read++
        yield padded(500)
      })(),
    )
    expect(await status(body, { 'content-length': '1001' })).toEqual([400, tooLarge])
    expect(read).toBeLessThanOrEqual(1)
  })

  it('may come in as many chunks as the limit', async () => {
    const pieces = (count: number): Uint8Array[] => {
      const whole = padded(count * 20)
      return Array.from({ length: count }, (_, i) => whole.subarray(i * 20, i * 20 + 20))
    }
    expect((await status(chunked(pieces(9))))[0]).toBe(200)
    expect((await status(chunked(pieces(10))))[0]).toBe(200)
    expect(await status(chunked(pieces(11)))).toEqual([
      400,
      'Chunked request body exceeds maximum of 10 non-empty chunks. Send fewer or larger HTTP chunks.',
    ])
  })

  it('of a million one-byte chunks is refused at the limit and keeps no memory', async () => {
    let sent = 0
    const one = new Uint8Array([0x20])
    const body = chunked(
      (function* () {
        for (; sent < 1_000_000; sent++) yield one
      })(),
    )
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    const response = await setUp(DEFAULT_PROTOCOL_LIMITS).fetch(
      new Request(URL, { method: 'POST', body, duplex: 'half' } as RequestInit),
    )
    expect((await response.json()).error).toContain('exceeds maximum of 65536 non-empty chunks')
    expect(sent).toBeLessThan(65_536 + 10)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })
})
