import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import { certificateName } from '../../../core/access/certificate-name.ts'
import type { Log } from '../../../core/platform.ts'
import type { Sockets } from './sockets.ts'

/** Certificate and key as PEM. */
export interface HttpTls {
  readonly cert: Uint8Array | string
  readonly key: Uint8Array | string
  /** Set: clients must present a certificate that this verifies. */
  readonly clientCa?: Uint8Array | string
}

/** From accept to the end of the TLS handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000
const MIN_VERSION = 'TLSv1.2'

export interface HttpServer {
  readonly server: Server
  /** See `HttpListener.setTls`. */
  setTls(tls: HttpTls): void
}

/** Node's server, with TLS or without, whose connections `sockets` knows. */
export function createHttpServer(options: {
  readonly settings: ServerOptions
  readonly tls: HttpTls | undefined
  readonly sockets: Sockets
  readonly log: Log
  readonly onRequest: RequestListener
}): HttpServer {
  const { settings, tls, sockets, log, onRequest } = options
  if (tls === undefined) {
    const server = createServer(settings, onRequest)
    server.on('connection', (socket: Socket) => sockets.add(socket))
    const setTls = (): never => {
      throw new Error('this listener has no TLS')
    }
    return { server, setTls }
  }
  const server = createTlsServer(
    {
      ...settings,
      ...contextOptions(tls),
      requestCert: tls.clientCa !== undefined,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    onRequest,
  )
  watchHandshakes(server, sockets, log)
  return {
    server,
    setTls(next) {
      // Throws for a pair that does not fit before anything is changed.
      createSecureContext(contextOptions(next))
      server.setSecureContext(contextOptions(next))
    },
  }
}

function contextOptions({ cert, key, clientCa }: HttpTls): SecureContextOptions {
  const pem = (text: Uint8Array | string): Buffer | string =>
    typeof text === 'string' ? text : Buffer.from(text)
  return {
    cert: pem(cert),
    key: pem(key),
    minVersion: MIN_VERSION,
    ...(clientCa === undefined ? {} : { ca: pem(clientCa) }),
  }
}

/** Connections are known from their first byte, and by their certificate once the handshake is done. */
function watchHandshakes(server: TlsServer, sockets: Sockets, log: Log): void {
  const raw = new Map<string, Socket>()
  const peer = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  server.on('connection', (socket: Socket) => {
    const name = peer(socket)
    raw.set(name, socket)
    sockets.addHandshake(socket)
    socket.once('close', () => {
      if (raw.get(name) === socket) raw.delete(name)
    })
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    const beneath = raw.get(peer(socket))
    if (beneath !== undefined) sockets.endHandshake(beneath)
    sockets.add(socket).certificate = peerCertificate(socket)
  })
  // Scanners and clients that do not trust us: nothing an owner can do something about.
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    log.verbose(1, `http: TLS handshake failed: ${error.message}`)
    socket.destroy()
  })
}

/** What a verified client certificate is known by; '' where there is none. */
function peerCertificate(socket: TLSSocket): string {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return ''
  return certificateName(certificate.subject ?? '', certificate.subjectAltName)
}
