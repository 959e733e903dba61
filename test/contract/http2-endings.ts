import { constants } from 'node:http2'
import { describe, expect, it } from 'vitest'
import type { ServerStream, StartHttp2 } from '../../adapters/http2/types.ts'
import {
  DONE,
  echo,
  GET_HEAD,
  http2Harness,
  IGNORED,
  OK,
  POST_HEAD,
  pattern,
  request,
  until,
} from '../helpers/http2-app.ts'
import { Flag, Frame, frame, rawHttp2, uint32 } from '../helpers/raw-http2.ts'

/** How streams, connections and the listener end in every transport. */
export function http2EndingsContract(name: string, start: StartHttp2): void {
  describe(`${name} as an HTTP/2 transport that ends`, () => {
    const { serve, client, raw } = http2Harness(start)

    it('says aborted once when the peer resets, and releases what waited', async () => {
      let aborted = 0
      let released = 0
      let ended = 0
      let stream: ServerStream | null = null
      const server = await serve({
        onStream: (one) => {
          stream = one
          one.headers(OK, false)
          one.data(pattern(2_000_000), () => released++)
          return {
            data: (_, end) => {
              if (end) ended++
            },
            aborted: () => aborted++,
          }
        },
      })
      const peer = await raw(server)
      peer.send(
        frame(Frame.HEADERS, Flag.END_HEADERS, 1, POST_HEAD),
        frame(Frame.DATA, 0, 1, pattern(10)),
      )
      await peer.next((one) => one.type === Frame.DATA)
      expect(stream!.unsent).toBeGreaterThan(0)
      peer.send(frame(Frame.RST_STREAM, 0, 1, uint32(constants.NGHTTP2_CANCEL)))
      await until(() => aborted > 0)
      expect(await peer.ping()).toBe(true)
      stream!.data(pattern(10), () => released++)
      stream!.trailers(DONE)
      stream!.reset(0)
      await until(() => released === 2 && server.streams === 0)
      expect([aborted, ended, server.connections]).toEqual([1, 0, 1])
    })

    it('resets a stream with the code it is given, and goes on', async () => {
      let aborted = 0
      const server = await serve({
        onStream: (stream, hasBody) => {
          if (stream.head.path === '/echo') return echo(stream, hasBody)
          stream.reset(constants.NGHTTP2_ENHANCE_YOUR_CALM)
          return { data: () => {}, aborted: () => aborted++ }
        },
      })
      const session = client(server)
      const answer = await request(session, pattern(10), { ':path': '/reset' })
      expect(answer.code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      expect((await request(session, pattern(10))).body.length).toBe(10)
      expect([aborted, server.streams]).toEqual([0, 0])
    })

    it('says aborted for every stream of a connection that is lost', async () => {
      let aborted = 0
      let opened = 0
      let released = 0
      const server = await serve({
        onStream: (stream) => {
          opened++
          stream.headers(OK, false)
          stream.data(pattern(200_000), () => released++)
          return { data: () => {}, aborted: () => aborted++ }
        },
      })
      const peer = await raw(server)
      for (let at = 0; at < 10; at++) {
        const flags = Flag.END_HEADERS | (at % 2 === 0 ? Flag.END_STREAM : 0)
        peer.send(frame(Frame.HEADERS, flags, 2 * at + 1, POST_HEAD))
      }
      await until(() => opened === 10)
      peer.destroy()
      await until(() => server.connections === 0 && released === 10)
      expect([aborted, server.streams]).toEqual([10, 0])
    })

    it('lets open streams end when it closes, takes no others, and can be closed twice', async () => {
      let stream: ServerStream | null = null
      const server = await serve({
        onStream: (one) => {
          stream = one
          return IGNORED
        },
      })
      const peer = await raw(server)
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, GET_HEAD))
      await until(() => stream !== null)
      const closed = Promise.all([server.close(30_000), server.close(0)])
      expect(await peer.next((one) => one.type === Frame.GOAWAY)).not.toBe(null)
      await expect(rawHttp2(server.port)).rejects.toThrow('ECONNREFUSED')
      stream!.answer(OK, [pattern(10)], DONE)
      const data = await peer.next((one) => one.type === Frame.DATA)
      expect(data?.payload.length).toBe(10)
      await closed
      expect([server.connections, server.streams]).toEqual([0, 0])
    })

    it('cuts what is left when its time to close is over', async () => {
      let aborted = 0
      let opened = 0
      const server = await serve({
        onStream: () => {
          opened++
          return { data: () => {}, aborted: () => aborted++ }
        },
      })
      const peer = await raw(server)
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS, 1, POST_HEAD))
      await until(() => opened === 1)
      await server.close(10)
      await peer.closed
      expect([aborted, server.connections, server.streams]).toEqual([1, 0, 0])
    })

    it('rejects a port that is taken', async () => {
      const server = await serve()
      await expect(serve({ port: server.port })).rejects.toThrow('EADDRINUSE')
    })
  })
}
