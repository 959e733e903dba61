import { constants } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
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
import { Flag, Frame, frame, settings, uint32 } from '../helpers/raw-http2.ts'

/** Every transport must pass this. */
export function http2Contract(name: string, start: StartHttp2): void {
  describe(`${name} as an HTTP/2 transport`, () => {
    const { serve, client, raw } = http2Harness(start)

    it('passes on what a request says', async () => {
      const seen: (readonly [ServerStream, boolean])[] = []
      const server = await serve({
        onStream: (stream, hasBody) => {
          seen.push([stream, hasBody])
          return echo(stream, hasBody)
        },
      })
      const session = client(server)
      await request(session, null, {
        ':path': '/a?b=c',
        ':authority': 'me:1',
        'x-one': ['1', '2'],
        te: 'trailers',
      })
      await request(session, Buffer.from('x'))
      const [[first, firstBody], [second, secondBody]] = seen as [
        [ServerStream, boolean],
        [ServerStream, boolean],
      ]
      const { method, scheme, path, authority } = first.head
      expect({ method, scheme, path, authority }).toEqual({
        method: 'GET',
        scheme: 'http',
        path: '/a?b=c',
        authority: 'me:1',
      })
      expect([first.head.get('x-one'), first.head.get('te'), first.head.get('none')]).toEqual([
        '1, 2',
        'trailers',
        undefined,
      ])
      expect(first.head.fields.filter((one) => one.startsWith(':'))).toEqual([])
      expect(first.peer).toEqual({ address: '127.0.0.1', tls: false, certificate: '' })
      expect([firstBody, secondBody, second.head.method]).toEqual([false, true, 'POST'])
    })

    it('answers with headers only', async () => {
      const only = headerBlock([':status', '200', 'grpc-status', '12', 'grpc-message', 'no'])
      const server = await serve({
        onStream: (stream) => {
          stream.headers(only, true)
          return IGNORED
        },
      })
      const answer = await request(client(server))
      expect([answer.headers[':status'], answer.headers['grpc-status']]).toEqual([200, '12'])
      expect([answer.body.length, answer.code]).toEqual([0, 0])
    })

    it.each([0, 1, 16_384, 16_385, 65_535, 65_536, 1_000_000])(
      'echoes %i bytes in one answer, with trailers',
      async (size) => {
        const server = await serve()
        const answer = await request(client(server), pattern(size))
        expect(answer.headers[':status']).toBe(200)
        expect(answer.body.equals(pattern(size))).toBe(true)
        expect([answer.trailers['grpc-status'], answer.code]).toEqual(['0', 0])
        await until(() => server.streams === 0)
      },
    )

    it('ends an answer without trailers when they are empty', async () => {
      const server = await serve({
        onStream: (stream) => {
          stream.answer(OK, [pattern(10)], headerBlock([]))
          return IGNORED
        },
      })
      const answer = await request(client(server))
      expect([answer.body.length, answer.code]).toEqual([10, 0])
    })

    it('sends the pieces of a body in their order and releases each once', async () => {
      const released: number[] = []
      const server = await serve({
        onStream: (stream) => {
          stream.headers(OK, false)
          for (let at = 0; at < 20; at++)
            stream.data(pattern(at * 3_000, at), () => released.push(at))
          stream.trailers(DONE)
          return IGNORED
        },
      })
      const { body, trailers } = await request(client(server))
      const wanted = Buffer.concat(Array.from({ length: 20 }, (_, at) => pattern(at * 3_000, at)))
      expect(body.equals(wanted)).toBe(true)
      expect(trailers['grpc-status']).toBe('0')
      await until(() => released.length >= 20)
      expect(released).toEqual(Array.from({ length: 20 }, (_, at) => at))
    })

    it('does nothing when told to go on after the end', async () => {
      let released = 0
      const server = await serve({
        onStream: (stream) => {
          stream.answer(OK, [pattern(5)], DONE)
          stream.headers(OK, false)
          stream.data(pattern(5), () => released++)
          stream.trailers(DONE)
          stream.answer(OK, [pattern(5)], DONE, () => released++)
          stream.credit(10)
          return IGNORED
        },
      })
      const session = client(server)
      expect((await request(session)).body.length).toBe(5)
      expect((await request(session)).body.length).toBe(5)
      expect(released).toBe(4)
    })

    it('lets a peer send a body only as credit is given', async () => {
      let got = 0
      let stream: ServerStream | null = null
      const window = 65_535
      const server = await serve({
        limits: { streamWindow: window },
        onStream: (one) => {
          stream = one
          return {
            data: (chunk, end) => {
              got += chunk.length
              if (end) one.answer(OK, [], DONE)
            },
            aborted: () => {},
          }
        },
      })
      const session = client(server)
      const answered = request(session, pattern(500_000))
      await until(() => got >= window)
      await new Promise((resolve) => session.ping(resolve))
      // The reference hears of data in pieces and can stop only between two.
      expect(got).toBeLessThan(2 * window)
      stream!.credit(500_000)
      const answer = await answered
      expect([got, answer.trailers['grpc-status']]).toEqual([500_000, '0'])
    })

    it('sends exactly what the windows of a stream and of its connection allow', async () => {
      const body = pattern(200_000)
      const server = await serve({
        keepalive: { minRecvPingIntervalWithoutDataMs: 0, maxPingStrikes: 100 },
        onStream: (stream) => {
          stream.answer(OK, [body], DONE)
          return IGNORED
        },
      })
      const window = (value: number) => frame(Frame.SETTINGS, 0, 0, settings([4, value]))
      const peer = await raw(server, { settings: settings([4, 1_000]) })
      const got = async () => {
        // The second answer comes after all that the first PING's turn could send.
        for (let at = 0; at < 2; at++) expect(await peer.ping()).toBe(true)
        const data = peer.frames.filter((one) => one.type === Frame.DATA)
        return data.reduce((sum, one) => sum + one.payload.length, 0)
      }
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, GET_HEAD))
      expect(await got()).toBe(1_000)
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(500)))
      expect(await got()).toBe(1_500)
      // The window becomes 500 less than nothing.
      peer.send(window(500), frame(Frame.WINDOW_UPDATE, 0, 1, uint32(500)))
      expect(await got()).toBe(1_500)
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 1, uint32(1)))
      expect(await got()).toBe(1_501)
      peer.send(window(1_000_000))
      expect(await got()).toBe(65_535)
      peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, uint32(200_000)))
      expect(await got()).toBe(200_000)
    })

    it('gives each of many streams on several connections its own answer', async () => {
      const server = await serve()
      const answers: Promise<void>[] = []
      for (let connection = 0; connection < 5; connection++) {
        const session = client(server)
        for (let at = 0; at < 80; at++) {
          const body = pattern(100 + at * 400, connection * 80 + at)
          answers.push(
            request(session, body).then((answer) => expect(answer.body.equals(body)).toBe(true)),
          )
        }
      }
      await Promise.all(answers)
      expect(server.connections).toBe(5)
      await until(() => server.streams === 0)
    })

    it('refuses streams over the limit without asking the handler', async () => {
      let asked = 0
      const server = await serve({
        limits: { maxConcurrentStreams: 2 },
        onStream: () => {
          asked++
          return IGNORED
        },
      })
      // After the acknowledgement nghttp2 ends the whole connection instead.
      const peer = await raw(server, { acknowledge: false })
      for (const id of [1, 3, 5]) peer.send(frame(Frame.HEADERS, Flag.END_HEADERS, id, POST_HEAD))
      const reset = await peer.next((one) => one.type === Frame.RST_STREAM)
      expect([reset?.stream, reset?.payload.readUInt32BE(0)]).toEqual([
        5,
        constants.NGHTTP2_REFUSED_STREAM,
      ])
      expect([asked, server.streams]).toEqual([2, 2])
    })

    it('says when to stop writing and when to go on', async () => {
      const piece = pattern(16_000)
      let stream: ServerStream | null = null
      let resumed = 0
      let sent = 0
      const write = (): void => {
        while (sent < 100) {
          sent++
          if (!stream!.data(piece)) return
        }
        stream!.trailers(DONE)
      }
      const server = await serve({
        limits: { writeHighWater: 100_000 },
        onStream: (one) => {
          stream = one
          one.headers(OK, false)
          write()
          return {
            ...IGNORED,
            writable: () => {
              resumed++
              write()
            },
          }
        },
      })
      // SETTINGS_INITIAL_WINDOW_SIZE of zero: nothing may be sent.
      const peer = await raw(server, { settings: settings([4, 0]) })
      peer.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, GET_HEAD))
      await peer.next((one) => one.type === Frame.HEADERS)
      expect(await peer.ping()).toBe(true)
      // The reference's stream holds back a little more than it counts.
      expect(sent * piece.length).toBeLessThan(300_000)
      expect([resumed, stream!.unsent > 0, peer.counts[Frame.DATA]]).toEqual([0, true, 0])
      peer.send(
        frame(Frame.WINDOW_UPDATE, 0, 0, uint32(2_000_000)),
        frame(Frame.WINDOW_UPDATE, 0, 1, uint32(2_000_000)),
      )
      const trailers = await peer.next((one) => one.type === Frame.HEADERS)
      const body = peer.frames.filter((one) => one.type === Frame.DATA).map((one) => one.payload)
      expect(
        Buffer.concat(body).equals(Buffer.concat(Array.from({ length: 100 }, () => piece))),
      ).toBe(true)
      expect([trailers?.flags, sent]).toEqual([Flag.END_HEADERS | Flag.END_STREAM, 100])
      expect(resumed).toBeGreaterThan(0)
    })

    it('takes the trailers of a request as the end of its body', async () => {
      const server = await serve()
      const peer = await raw(server)
      const trailer = headerBlock(['x-sum', '1']).encoded
      peer.send(
        frame(Frame.HEADERS, Flag.END_HEADERS, 1, POST_HEAD),
        frame(Frame.DATA, 0, 1, pattern(10)),
        frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, trailer),
      )
      const data = await peer.next((one) => one.type === Frame.DATA && one.payload.length > 0)
      expect(data?.payload.equals(pattern(10))).toBe(true)
    })
  })
}
