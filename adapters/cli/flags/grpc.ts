import type { Flag, FlagGroup } from '../flag-types.ts'
import { checkPattern, parseRestriction } from '../flag-values.ts'

const served = (
  name: string,
  type: Flag['type'],
  help: string,
  rest: Partial<Flag> = {},
): Flag => ({
  name,
  type,
  help,
  effect: 'served',
  ...rest,
})

const MAX_PORT = 65_535
const MAX_INT32 = 2_147_483_647

export const GRPC_GROUP: FlagGroup = {
  title: 'GRPC',
  flags: [
    served('allow-grpc', 'boolean', 'Listen for gRPC requests.', { default: 'true' }),
    served('grpc-address', 'string', 'Address to bind to.', { default: '0.0.0.0' }),
    served('grpc-port', 'integer', 'Port for gRPC requests; 0 takes any free one.', {
      default: '8001',
      min: 0,
      max: MAX_PORT,
    }),
    served(
      'reuse-grpc-port',
      'boolean',
      'Let several servers listen on this port (SO_REUSEPORT); all of them must set it and serve the same models.',
      { default: 'false' },
    ),
    served(
      'grpc-header-forward-pattern',
      'string',
      'Forward metadata whose names match as inference parameters.',
      { check: checkPattern },
    ),
    served(
      'grpc-infer-thread-count',
      'integer',
      'Threads of Triton that handle infer requests; this server needs one.',
      { default: '2', min: 1, effect: 'accepted' },
    ),
    served(
      'grpc-infer-allocation-pool-size',
      'integer',
      'Request objects that Triton keeps for reuse; this server needs none.',
      { default: '8', min: 0, effect: 'accepted' },
    ),
    served(
      'grpc-max-response-pool-size',
      'integer',
      'Response objects that Triton keeps per request; this server needs none.',
      { min: 1, effect: 'accepted' },
    ),
    served('grpc-use-ssl', 'boolean', 'Use TLS.', { default: 'false' }),
    served('grpc-use-ssl-mutual', 'boolean', 'Use TLS and verify the certificates of clients.', {
      default: 'false',
    }),
    served('grpc-server-cert', 'string', 'PEM file of the server certificate.'),
    served('grpc-server-key', 'string', 'PEM file of the server key.'),
    served('grpc-root-cert', 'string', 'PEM file of the certificates that verify clients.'),
    served(
      'grpc-infer-response-compression-level',
      'choice',
      'Compression of infer responses, for clients that accept it.',
      { choices: ['none', 'low', 'medium', 'high'], value: 'string', default: 'none' },
    ),
    served(
      'grpc-max-message-size',
      'integer',
      'Most bytes of a request message, also after decompression.',
      { default: String(MAX_INT32), min: 1, max: MAX_INT32 },
    ),
    served('grpc-max-concurrent-streams', 'integer', 'Most calls of one connection at a time.', {
      default: '1024',
      min: 1,
      max: MAX_INT32,
    }),
    served(
      'grpc-transport',
      'choice',
      "The HTTP/2 that carries gRPC: this server's own, or that of Node.",
      { choices: ['native', 'node'], value: 'string', default: 'native' },
    ),
    served('grpc-keepalive-time', 'integer', 'Milliseconds between keepalive pings.', {
      default: '7200000',
      min: 1,
    }),
    served('grpc-keepalive-timeout', 'integer', 'Milliseconds to wait for the answer to a ping.', {
      default: '20000',
      min: 1,
    }),
    served(
      'grpc-keepalive-permit-without-calls',
      'boolean',
      'Ping without calls in flight, and let clients do so.',
      { default: 'false' },
    ),
    served(
      'grpc-http2-max-pings-without-data',
      'integer',
      'Pings of Triton without data between them; this server pings once per keepalive time.',
      { default: '2', effect: 'accepted' },
    ),
    served(
      'grpc-http2-min-recv-ping-interval-without-data',
      'integer',
      'Milliseconds between pings of a client without data.',
      { default: '300000', min: 0 },
    ),
    served(
      'grpc-http2-max-ping-strikes',
      'integer',
      'Pings that come too soon before a connection is closed; 0 = any number.',
      { default: '2', min: 0 },
    ),
    served('grpc-max-connection-age', 'integer', 'Milliseconds a connection may live.', {
      min: 0,
    }),
    served(
      'grpc-max-connection-age-grace',
      'integer',
      'Milliseconds that calls have to end after that.',
      { min: 0 },
    ),
    served(
      'grpc-restricted-protocol',
      'string',
      'Serve these protocols only to requests with metadata triton-grpc-protocol-<key> of <value>: <protocol>,<protocol>:<key>=<value>.',
      {
        value: '<string>:<string>=<string>',
        repeatable: true,
        check: (value) => void parseRestriction('grpc-restricted-protocol', 'protocol', value),
      },
    ),
  ],
}
