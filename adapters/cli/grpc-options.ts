import type { FlagReader } from './flag-reader.ts'
import { FlagError } from './flag-types.ts'
import { parseRestrictions } from './flag-values.ts'
import type { GrpcFlags, GrpcTlsFlags } from './options.ts'

const RESTRICTED = 'grpc-restricted-protocol'

/** Puts the gRPC flags together. Throws {@link FlagError} for TLS without its files. */
export function grpcFlags(read: FlagReader): GrpcFlags {
  return {
    enabled: read.boolean('allow-grpc'),
    address: read.string('grpc-address'),
    port: read.number('grpc-port'),
    reusePort: read.boolean('reuse-grpc-port'),
    restrictions: parseRestrictions(RESTRICTED, 'protocol', read.list(RESTRICTED)),
    transport: read.string('grpc-transport') === 'node' ? 'node' : 'native',
    compression: read.string('grpc-infer-response-compression-level') as GrpcFlags['compression'],
    maxMessageBytes: read.number('grpc-max-message-size'),
    maxConcurrentStreams: read.number('grpc-max-concurrent-streams'),
    maxConnections: read.number('max-connections'),
    keepalive: {
      timeMs: read.number('grpc-keepalive-time'),
      timeoutMs: read.number('grpc-keepalive-timeout'),
      permitWithoutCalls: read.boolean('grpc-keepalive-permit-without-calls'),
      minRecvPingIntervalWithoutDataMs: read.number(
        'grpc-http2-min-recv-ping-interval-without-data',
      ),
      maxPingStrikes: read.number('grpc-http2-max-ping-strikes'),
      maxConnectionAgeMs: read.number('grpc-max-connection-age'),
      maxConnectionAgeGraceMs: read.number('grpc-max-connection-age-grace'),
    },
    tls: tlsFlags(read),
  }
}

function tlsFlags(read: FlagReader): GrpcTlsFlags | null {
  const mutual = read.boolean('grpc-use-ssl-mutual')
  if (!mutual && !read.boolean('grpc-use-ssl')) return null
  const cert = read.string('grpc-server-cert')
  const key = read.string('grpc-server-key')
  const ca = read.string('grpc-root-cert')
  if (cert === '' || key === '' || (mutual && ca === '')) {
    throw new FlagError(
      `Error: '--grpc-use-ssl${mutual ? '-mutual' : ''}' requires '--grpc-server-cert', '--grpc-server-key'${mutual ? " and '--grpc-root-cert'" : ''}.`,
    )
  }
  return { cert, key, ca: mutual ? ca : '' }
}
