import { headerBlock } from '../../../adapters/http2/hpack/encoder.ts'
import { startHttp2 } from '../../../adapters/http2/server.ts'
import type {
  Http2Server,
  Http2ServerOptions,
  ServerStream,
} from '../../../adapters/http2/types.ts'
import { Flag, Frame, frame, type RawHttp2 } from '../../helpers/raw-http2.ts'

export const OK = headerBlock([':status', '200'])
export const STATUS = headerBlock(['x-status', '0'])
export const NO_TRAILERS = headerBlock([])
export const POST: Uint8Array = headerBlock([
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  '/',
  ':authority',
  'a',
]).encoded

/** What a stream saw, in order. */
export interface Seen {
  readonly stream: ServerStream
  readonly chunks: Uint8Array[]
  ended: boolean
  aborted: number
  writable: number
}

export interface TestHttp2 extends Http2Server {
  readonly seen: Seen[]
  readonly errors: string[]
  /** Resolves when `condition` holds, looked at whenever a stream saw something. */
  until(condition: () => boolean): Promise<void>
}

/** A server that keeps what its streams see; `then` is called with each body's end. */
export async function testHttp2(
  options: Partial<Http2ServerOptions> = {},
  then: (seen: Seen) => void = () => undefined,
): Promise<TestHttp2> {
  const seen: Seen[] = []
  const errors: string[] = []
  let waiting: { condition: () => boolean; resolve: () => void }[] = []
  const look = (): void => {
    const ready = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((one) => !ready.includes(one))
    for (const { resolve } of ready) resolve()
  }
  const server = await startHttp2({
    address: '127.0.0.1',
    port: 0,
    onStream: (stream, hasBody) => {
      const one: Seen = { stream, chunks: [], ended: !hasBody, aborted: 0, writable: 0 }
      seen.push(one)
      if (!hasBody) then(one)
      queueMicrotask(look)
      return {
        data: (chunk, end) => {
          one.chunks.push(chunk)
          one.ended = end
          if (end) then(one)
          look()
        },
        aborted: () => {
          one.aborted++
          look()
        },
        writable: () => {
          one.writable++
          look()
        },
      }
    },
    log: { warning: (text) => errors.push(text), error: (text) => errors.push(text) },
    ...options,
  })
  return Object.defineProperties(
    {
      seen,
      errors,
      until: (condition: () => boolean) =>
        condition()
          ? Promise.resolve()
          : new Promise<void>((resolve) => waiting.push({ condition, resolve })),
    },
    Object.getOwnPropertyDescriptors(server),
  ) as TestHttp2
}

/** Sends a request's HEADERS. */
export function request(raw: RawHttp2, id: number, end: boolean, block: Uint8Array = POST): void {
  raw.send(frame(Frame.HEADERS, Flag.END_HEADERS | (end ? Flag.END_STREAM : 0), id, block))
}

/** The octets of stream `id`'s DATA until its end; null when it was reset or the connection ended. */
export async function body(raw: RawHttp2, id: number): Promise<number | null> {
  let length = 0
  for (;;) {
    const one = await raw.next(
      ({ type, stream }) =>
        stream === id && type !== Frame.WINDOW_UPDATE && type !== Frame.PRIORITY,
    )
    if (one === null || one.type === Frame.RST_STREAM) return null
    if (one.type === Frame.DATA) length += one.payload.length
    if ((one.flags & Flag.END_STREAM) !== 0) return length
  }
}

/** The error code and debug text of the first GOAWAY; null when the connection ended without. */
export async function goaway(
  raw: RawHttp2,
): Promise<{ last: number; code: number; debug: string } | null> {
  const one = await raw.next(({ type }) => type === Frame.GOAWAY)
  return one === null
    ? null
    : {
        last: one.payload.readUInt32BE(0),
        code: one.payload.readUInt32BE(4),
        debug: one.payload.subarray(8).toString(),
      }
}

/** The code of stream `id`'s RST_STREAM. */
export async function resetCode(raw: RawHttp2, id: number): Promise<number | undefined> {
  const one = await raw.next(({ type, stream }) => type === Frame.RST_STREAM && stream === id)
  return one?.payload.readUInt32BE(0)
}
