import { FlagError } from './flag-types.ts'
import type { AccessFlags } from './options.ts'

interface Reader {
  string(name: string): string
  boolean(name: string): boolean
  list(name: string): readonly string[]
}

/** What the flags of access say together. Throws {@link FlagError} for half of a pair. */
export function accessFlags(read: Reader): AccessFlags {
  const authFile = read.string('auth-file')
  const metricsRequireKey = read.boolean('metrics-require-key')
  if (metricsRequireKey && authFile === '') {
    throw new FlagError('--metrics-require-key requires --auth-file')
  }
  return {
    authFile,
    metricsRequireKey,
    httpTls: httpTls(read),
    corsOrigins: read.list('http-cors-origin'),
    allowedHosts: read
      .list('allowed-hosts')
      .flatMap((hosts) => hosts.split(','))
      .filter((host) => host !== ''),
    httpForwardPattern: read.string('http-header-forward-pattern'),
    grpcForwardPattern: read.string('grpc-header-forward-pattern'),
    strict: read.boolean('strict-security'),
  }
}

function httpTls(read: Reader): AccessFlags['httpTls'] {
  const cert = read.string('http-tls-cert')
  const key = read.string('http-tls-key')
  const ca = read.string('http-tls-ca')
  if (cert === '' && key === '' && ca === '') return undefined
  if (cert === '' || key === '') {
    throw new FlagError('HTTPS requires both --http-tls-cert and --http-tls-key')
  }
  return { cert, key, ca }
}

/** Whether `text` is an origin as browsers send it. */
export function isAbsoluteOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}
