import { once } from 'node:events'
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server as NodeServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket, Server as TlsServer } from 'node:tls'
import { REFERENCE_STREAM_WINDOW, ReferenceStream } from './reference-stream.ts'
import { certificateName, tlsOptions } from './tls.ts'
import type { Http2Server, PeerInfo, StartHttp2 } from './types.ts'

/**
 * The contract on `node:http2`, plain or with TLS: slower, but by others, so that what both transports do alike is right.
 * Flood, stall and keepalive limits are Node's own, not those of the options.
 */
export const startReferenceHttp2: StartHttp2 = async (options) => {
  const { limits = {}, tls } = options
  const settings = {
    maxConcurrentStreams: limits.maxConcurrentStreams ?? 100,
    initialWindowSize: limits.streamWindow ?? REFERENCE_STREAM_WINDOW,
    maxHeaderListSize: limits.maxHeaderListBytes ?? 16_384,
    enablePush: false,
  }
  const shared = { settings, maxHeaderListPairs: limits.maxHeaderFields ?? 100 }
  const server: NodeServer | Http2SecureServer =
    tls === undefined ? createServer(shared) : createSecureServer({ ...shared, ...tlsOptions(tls) })
  server.maxConnections = limits.maxConnections ?? 10_000

  const sockets = new Set<Socket>()
  const sessions = new Set<ServerHttp2Session>()
  let streams = 0
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('session', (session) => {
    sessions.add(session)
    const peer = peerOf(session)
    session.once('close', () => sessions.delete(session))
    // Bad frames and vanished peers: the session closes, its streams say `aborted`.
    session.on('error', () => {})
    if (limits.connectionWindow !== undefined) session.setLocalWindowSize(limits.connectionWindow)
    session.on('stream', (stream: ServerHttp2Stream, _: unknown, flags: number, raw: unknown) => {
      streams++
      stream.once('close', () => streams--)
      const hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0
      new ReferenceStream(stream, raw as readonly string[], peer, options, hasBody)
    })
  })
  server.on('sessionError', () => {})
  server.on('tlsClientError', () => {})
  server.on('unknownProtocol', (socket: Socket) => socket.destroy())

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const reuse = options.reusePort === true ? { reusePort: true } : {}
    server.listen({ host: options.address, port: options.port, ...reuse }, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', (error: Error) => options.log.error(`HTTP/2 listener: ${error.message}`))

  let closing: Promise<void> | null = null
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sessions.size
    },
    get streams() {
      return streams
    },
    setTls(material) {
      if (!(server instanceof TlsServer)) throw new Error('this listener has no TLS')
      server.setSecureContext(tlsOptions(material))
    },
    close(timeoutMs) {
      closing ??= closeAll(server, sockets, sessions, timeoutMs)
      return closing
    },
  } satisfies Http2Server
}

async function closeAll(
  server: NodeServer | Http2SecureServer,
  sockets: ReadonlySet<Socket>,
  sessions: ReadonlySet<ServerHttp2Session>,
  timeoutMs: number,
): Promise<void> {
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, timeoutMs)
  const gone = [...sessions].map((session) => once(session, 'close'))
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  for (const session of sessions) session.close()
  await Promise.all([closed, ...gone])
  clearTimeout(cut)
}

function peerOf(session: ServerHttp2Session): PeerInfo {
  const { socket } = session
  const address = socket.remoteAddress ?? ''
  if (!(socket instanceof TLSSocket)) return { address, tls: false, certificate: '' }
  return { address, tls: true, certificate: certificateName(socket) }
}
