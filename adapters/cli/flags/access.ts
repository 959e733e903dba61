import { isAbsoluteOrigin } from '../access-options.ts'
import { FlagError, type FlagGroup } from '../flag-types.ts'

export const ACCESS_GROUP: FlagGroup = {
  title: 'Access',
  flags: [
    {
      name: 'auth-file',
      type: 'string',
      value: 'path',
      effect: 'served',
      help: 'JSON file of keys and what each may do, for every port; read again when it changes. The hash of a key is that of: printf %s "$KEY" | sha256sum.',
    },
    {
      name: 'metrics-require-key',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Serve metrics only to keys of --auth-file with the scope metrics.',
    },
    {
      name: 'http-tls-cert',
      type: 'string',
      value: 'path',
      effect: 'served',
      help: 'PEM file of the HTTP certificate, with its chain; makes the port HTTPS. Read again when it changes.',
    },
    {
      name: 'http-tls-key',
      type: 'string',
      value: 'path',
      effect: 'served',
      help: 'PEM file of the key of --http-tls-cert.',
    },
    {
      name: 'http-tls-ca',
      type: 'string',
      value: 'path',
      effect: 'served',
      help: 'PEM file of certificates that verify those of clients, which then must have one.',
    },
    {
      name: 'http-cors-origin',
      type: 'string',
      value: 'origin',
      repeatable: true,
      effect: 'served',
      check: (value) => {
        if (value === '*' || isAbsoluteOrigin(value)) return
        throw new FlagError(`expected '*' or an origin such as https://example.org. Got ${value}`)
      },
      help: 'Origin whose pages may ask this server from a browser; * is any.',
    },
    {
      name: 'allowed-hosts',
      type: 'string',
      value: 'host,...',
      repeatable: true,
      effect: 'served',
      help: 'Names and addresses, without ports, that HTTP requests may be for; any other Host is refused. Keeps pages that point their own name at this server out.',
    },
    {
      name: 'strict-security',
      type: 'flag',
      effect: 'served',
      help: 'Do not start with a door open that is warned of at start.',
    },
  ],
}
