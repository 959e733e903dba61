import { createSecureContext, type TLSSocket, type TlsOptions } from 'node:tls'
import { certificateName as nameOf } from '../../core/access/certificate-name.ts'
import type { TlsMaterial } from './types.ts'

/** The protocol that a client has to offer. */
export const ALPN = 'h2'

/** Node's options for `tls`; throws when certificate and key are unusable or do not belong together. */
export function tlsOptions(tls: TlsMaterial): TlsOptions {
  const material = {
    cert: pem(tls.cert),
    key: pem(tls.key),
    ...(tls.clientCa === undefined ? {} : { ca: pem(tls.clientCa) }),
  }
  createSecureContext(material)
  return {
    ...material,
    minVersion: 'TLSv1.2',
    ALPNProtocols: [ALPN],
    requestCert: tls.clientCa !== undefined,
    rejectUnauthorized: tls.clientCa !== undefined,
  }
}

const pem = (bytes: Uint8Array | string): string | Buffer =>
  typeof bytes === 'string' ? bytes : Buffer.from(bytes)

/** What access rules know the verified certificate of a client by; '' = none. */
export function certificateName(socket: TLSSocket): string {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  return certificate === undefined ? '' : nameOf(certificate.subject, certificate.subjectAltName)
}
