import {
  createSecureContext,
  type PeerCertificate,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls'
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

/** First URI of the SAN, else the subject, of a certificate that was verified; '' = none. */
export function certificateName(socket: TLSSocket): string {
  if (!socket.authorized) return ''
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate()
  const uri = /(?:^|, )URI:([^,]+)/.exec(certificate.subjectaltname ?? '')?.[1]
  if (uri !== undefined) return uri
  const subject = certificate.subject as Readonly<Record<string, string | string[]>> | undefined
  return Object.entries(subject ?? {})
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join('+') : value}`)
    .join(',')
}
