import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PREFIX_BYTES } from '../../../adapters/grpc/message-reader.ts'
import { MessageWriter } from '../../../adapters/grpc/message-writer.ts'
import { Responses } from '../../../adapters/grpc/responses.ts'
import { Status } from '../../../adapters/grpc/types.ts'
import { startHttp2 } from '../../../adapters/http2/server.ts'
import type { ServerStream } from '../../../adapters/http2/types.ts'
import { http2Harness, IGNORED, until } from '../../helpers/http2-app.ts'

const http2 = http2Harness(startHttp2)
const MESSAGES = 100
const BYTES = 200 * 1024

/** A producer that sends as long as it is told that it may. */
function producer(writerOf: (goOn: () => void) => MessageWriter) {
  const message = randomBytes(BYTES)
  let sent = 0
  let stopped = false
  const goOn = (): void => {
    stopped = false
    while (!stopped && sent < MESSAGES) {
      sent++
      const parts = [Buffer.concat([Buffer.alloc(PREFIX_BYTES), message])]
      stopped = !writer.send({ parts, byteLength: BYTES }, undefined)
    }
    if (sent === MESSAGES) writer.finish({ code: Status.OK, message: '' })
  }
  const writer = writerOf(goOn)
  return { writer, goOn, sent: () => sent, stopped: () => stopped }
}

describe('a stream of messages that are compressed one after another', () => {
  it('makes its producer wait for a client that does not read, and carries all once it reads', async () => {
    let made: ReturnType<typeof producer> | undefined
    const server = await http2.serve({
      limits: { writeHighWater: BYTES },
      onStream: (stream) => {
        const one = producer((goOn) => new MessageWriter(stream, new Responses(), 'gzip', goOn))
        made = one
        one.goOn()
        return {
          ...IGNORED,
          writable: () => {
            one.writer.unblock()
            one.goOn()
          },
        }
      },
    })
    const call = http2.client(server).request({ ':method': 'GET', ':path': '/' })
    await new Promise((resolve) => call.once('response', resolve))
    await until(() => made?.stopped() === true)
    // Time for as many rounds of the compressor as all messages would need.
    for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(made?.sent()).toBeLessThan(MESSAGES / 2)
    let received = 0
    call.on('data', (piece: Buffer) => {
      received += piece.length
    })
    await new Promise((resolve) => call.once('end', resolve))
    expect(received).toBe(MESSAGES * (BYTES + PREFIX_BYTES))
  })

  it('may be as long as its producer likes', async () => {
    const texts: string[] = []
    let ended: () => void = () => {}
    const end = new Promise<void>((resolve) => {
      ended = resolve
    })
    const stream = {
      headers: () => {},
      data: (piece: Uint8Array) => texts.push(Buffer.from(piece).toString('latin1')) > 0,
      trailers: () => ended(),
    } as unknown as ServerStream
    const writer = new MessageWriter(stream, new Responses(), 'gzip')
    const send = (body: Uint8Array): boolean => {
      const parts = [Buffer.concat([Buffer.alloc(PREFIX_BYTES), body])]
      return writer.send({ parts, byteLength: body.length }, undefined)
    }
    send(randomBytes(BYTES))
    const count = 20_000
    for (let at = 0; at < count; at++) send(Buffer.from(String(at)))
    writer.finish({ code: Status.OK, message: '' })
    await end
    expect(texts.slice(1).map((text) => text.slice(PREFIX_BYTES))).toEqual(
      Array.from({ length: count }, (_, at) => String(at)),
    )
  })
})
