import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { afterEach } from 'vitest'
import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import type {
  Http2Server,
  Http2ServerOptions,
  ServerStream,
  StartHttp2,
  StreamHandler,
} from '../../adapters/http2/types.ts'
import { type RawHttp2, type RawHttp2Options, rawHttp2 } from './raw-http2.ts'

export const OK = headerBlock([':status', '200', 'content-type', 'application/grpc'])
export const DONE = headerBlock(['grpc-status', '0'])

/** A handler's half that wants nothing. */
export const IGNORED: StreamHandler = { data: () => {}, aborted: () => {} }

const head = (method: string) =>
  headerBlock([':method', method, ':scheme', 'http', ':path', '/', ':authority', 'a']).encoded
/** Header blocks of requests for raw peers. */
export const GET_HEAD = head('GET')
export const POST_HEAD = head('POST')

/** Takes the body, gives credit for all of it, and answers with the same bytes. */
export function echo(stream: ServerStream, hasBody: boolean): StreamHandler {
  const parts: Uint8Array[] = []
  if (!hasBody) stream.answer(OK, [], DONE)
  return {
    data: (chunk, end) => {
      parts.push(chunk)
      if (end) stream.answer(OK, parts, DONE)
      else stream.credit(chunk.length)
    },
    aborted: () => {},
  }
}

/** Starts a transport on a free port of this machine; what it logs fails the test that reads `logged`. */
export async function serveHttp2(
  start: StartHttp2,
  options: Partial<Http2ServerOptions> = {},
): Promise<Http2Server & { readonly logged: readonly string[] }> {
  const logged: string[] = []
  const log = {
    warning: (text: string) => logged.push(text),
    error: (text: string) => logged.push(text),
  }
  const server = await start({ address: '127.0.0.1', port: 0, onStream: echo, log, ...options })
  return Object.defineProperty(server, 'logged', { value: logged }) as never
}

/** Servers and clients of one `describe`; each test's are gone when it ends. */
export function http2Harness(start: StartHttp2) {
  let servers: Http2Server[] = []
  let clients: (ClientHttp2Session | RawHttp2)[] = []
  afterEach(async () => {
    for (const one of clients) one.destroy()
    await Promise.all(servers.map((one) => one.close(0)))
    servers = []
    clients = []
  })
  return {
    serve: async (options: Partial<Http2ServerOptions> = {}) => {
      const server = await serveHttp2(start, options)
      servers.push(server)
      return server
    },
    client: (server: Http2Server): ClientHttp2Session => {
      const session = connect(`http://127.0.0.1:${server.port}`)
      session.on('error', () => {})
      clients.push(session)
      return session
    },
    raw: async (server: Http2Server, options: RawHttp2Options = {}): Promise<RawHttp2> => {
      const peer = await rawHttp2(server.port, options)
      clients.push(peer)
      return peer
    },
  }
}

export interface Http2Answer {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader
  readonly trailers: IncomingHttpHeaders
  readonly body: Buffer
  /** How the stream was closed: 0, or the code of the reset. */
  readonly code: number
}

/** One request with Node's client; resolves when its stream is closed, however it was. */
export function request(
  session: ClientHttp2Session,
  body: Uint8Array | null = null,
  headers: OutgoingHttpHeaders = {},
): Promise<Http2Answer> {
  return new Promise((resolve) => {
    const method = body === null ? 'GET' : 'POST'
    const stream = session.request(
      { ':method': method, ':path': '/echo', ...headers },
      { endStream: body === null },
    )
    const parts: Buffer[] = []
    const seen: { headers: Http2Answer['headers']; trailers: IncomingHttpHeaders } = {
      headers: {},
      trailers: {},
    }
    stream.on('response', (one) => {
      seen.headers = one
    })
    stream.on('trailers', (one) => {
      seen.trailers = one
    })
    stream.on('data', (part) => parts.push(part))
    stream.on('error', () => {})
    stream.on('close', () =>
      resolve({ ...seen, body: Buffer.concat(parts), code: stream.rstCode ?? 0 }),
    )
    if (body !== null) stream.end(body)
  })
}

/** Waits turn by turn until `is` holds; a test's own time limit ends it. */
export async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** Octets that tell one place from another. */
export function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 7 + (at >> 8) * 13 + seed) & 0xff
  return bytes
}
