import { expect, it } from 'vitest'
import { MessageReader, type ReaderOptions } from '../../../adapters/grpc/message-reader.ts'
import type { ServerStream } from '../../../adapters/http2/types.ts'
import { framed } from '../../helpers/grpc-client.ts'

const OPTIONS: ReaderOptions = { maxBytes: 1024, inflateRatio: 200, inflateFreeBytes: 1024 }
const MIB = 1024 * 1024

function memory(): number {
  // The first one only begins to free what buffers held.
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

it.each([1, 7, 1000])(
  'what comes in pieces of %i bytes while nobody reads takes little more than its size',
  (size) => {
    const messages: string[] = []
    const sink = {
      message: (bytes: Uint8Array) => messages.push(Buffer.from(bytes).toString()),
      end: () => messages.push('end'),
      failed: () => messages.push('failed'),
    }
    const stream = { credit: () => {} } as unknown as ServerStream
    const reader = new MessageReader(stream, sink, 'identity', OPTIONS, undefined)
    const texts = Array.from({ length: 4_000 }, (_, at) => `message ${at}`)
    const bytes = Buffer.concat(texts.map((text) => framed(Buffer.from(text))))
    reader.pause()
    const before = memory()
    for (let at = 0; at < bytes.length; at += size) {
      // As it comes from a socket: a view on what was read with it.
      const chunk = Buffer.alloc(16 * 1024)
      const length = bytes.copy(chunk, 100, at, at + size)
      reader.push(chunk.subarray(100, 100 + length), false)
    }
    expect(memory() - before).toBeLessThan(2 * MIB)
    expect(messages).toEqual([])
    reader.resume()
    reader.push(new Uint8Array(0), true)
    expect(messages).toEqual([...texts, 'end'])
  },
)

it('pieces that come while a sink stops between messages are read in their order', () => {
  const messages: string[] = []
  const stream = { credit: () => {} } as unknown as ServerStream
  const sink = {
    message: (bytes: Uint8Array) => {
      messages.push(Buffer.from(bytes).toString())
      reader.pause()
    },
    end: () => messages.push('end'),
    failed: () => messages.push('failed'),
  }
  const reader: MessageReader = new MessageReader(stream, sink, 'identity', OPTIONS, undefined)
  const texts = Array.from({ length: 3_000 }, (_, at) => `m${at}`)
  const bytes = Buffer.concat(texts.map((text) => framed(Buffer.from(text))))
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = [3, 40, 5_000][turn % 3] as number
    reader.push(bytes.subarray(at, at + size), false)
    at += size
    if (turn % 2 === 0) reader.resume()
  }
  reader.push(new Uint8Array(0), true)
  while (messages.at(-1) !== 'end') reader.resume()
  expect(messages).toEqual([...texts, 'end'])
})
