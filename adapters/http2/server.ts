import {
  type AddressInfo,
  createServer,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { Connections } from './connections.ts'
import { DEFAULT_HTTP2_LIMITS, DEFAULT_KEEPALIVE } from './limits.ts'
import { SlabPool } from './output.ts'
import { serverPreface } from './settings.ts'
import { ALPN, certificateName, tlsOptions } from './tls.ts'
import { TurnEnd } from './turn-end.ts'
import type { Http2Server, Http2ServerOptions, StartHttp2, TlsMaterial } from './types.ts'

const BACKLOG = 1024
/**
 * Connections without calls are not pinged (gRPC's rule), so the kernel asks whether their peers are still there, after this
 * long; otherwise those that vanished without a word would count among `maxConnections` for ever.
 */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 300_000 } as const

/** HTTP/2 on `node:net` and `node:tls`. Rejects with the socket's error (EADDRINUSE, …) or that of the certificate. */
export const startHttp2: StartHttp2 = async (options) => {
  const limits = { ...DEFAULT_HTTP2_LIMITS, ...options.limits }
  const secure = options.tls === undefined ? undefined : tlsOptions(options.tls)
  const connections = new Connections({
    limits,
    keepalive: { ...DEFAULT_KEEPALIVE, ...options.keepalive },
    onStream: options.onStream,
    log: options.log,
    slabs: new SlabPool(),
    turnEnd: new TurnEnd(),
    preface: serverPreface(limits),
  })
  const accept = (socket: Socket, tls: boolean, certificate: string): void => {
    const address = socket.remoteAddress
    socket.on('error', () => socket.destroy())
    if (address === undefined) socket.destroy()
    else connections.add(socket, { address, tls, certificate })
  }

  let server: Server
  /** All TLS sockets that are open, also before the end of the handshake. */
  const sockets = new Set<Socket>()
  if (secure === undefined) {
    server = createServer({ noDelay: true, ...KEEP_ALIVE }, (socket) => accept(socket, false, ''))
  } else {
    const { handshakeMs: handshakeTimeout } = limits
    server = createTlsServer({ ...secure, noDelay: true, ...KEEP_ALIVE, handshakeTimeout })
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === ALPN) accept(socket, true, certificateName(socket))
      else socket.destroy()
    })
    server.on('tlsClientError', (_error, socket: TLSSocket) => socket.destroy())
  }
  server.maxConnections = limits.maxConnections
  try {
    await listen(server, options)
  } catch (error) {
    connections.stop()
    throw error
  }
  server.on('error', (error) => options.log.error(`http2 listener: ${error.message}`))

  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  const close = async (timeoutMs: number): Promise<void> => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
    const cut = setTimeout(() => {
      connections.cut()
      for (const socket of sockets) socket.destroy()
    }, timeoutMs)
    await connections.drain()
    await stopped
    clearTimeout(cut)
    connections.stop()
  }
  return {
    port,
    get connections() {
      return connections.size
    },
    get streams() {
      return connections.streams
    },
    setTls: (tls: TlsMaterial) => {
      if (secure === undefined) throw new Error('the listener does not use TLS')
      const next = tlsOptions(tls)
      ;(server as TlsServer).setSecureContext(next)
    },
    close: (timeoutMs) => {
      closing ??= close(timeoutMs)
      return closing
    },
  } satisfies Http2Server
}

function listen(server: Server, options: Http2ServerOptions): Promise<void> {
  // SO_REUSEPORT exists as an option from Node 23.1 on, older ones ignore it.
  const where: ListenOptions & { reusePort?: boolean } = {
    host: options.address,
    port: options.port,
    backlog: BACKLOG,
    exclusive: true,
  }
  if (options.reusePort) where.reusePort = true
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}
