import type { Flag, FlagGroup } from '../flag-types.ts'
import { cacheSetting } from '../flag-values.ts'

export const CACHE_GROUP: FlagGroup = {
  title: 'Response Cache',
  flags: [
    {
      name: 'cache-config',
      type: 'string',
      value: '<string>,<string>=<string>',
      repeatable: true,
      check: (value) => void cacheSetting(value),
      effect: 'served',
      help: 'Setting of the response cache, which keeps responses of models with response_cache { enable: true }. In this process: local,size=<bytes>. In a Redis that servers share: redis,host=<name> and redis,port=<port>; further user, password (better in TRITONCACHE_REDIS_USERNAME and TRITONCACHE_REDIS_PASSWORD), db, connect_timeout and socket_timeout (ms), ttl (seconds, 0 = until Redis needs the room), tls_enabled=true, cacert, cert, key, sni.',
    },
    {
      name: 'cache-directory',
      type: 'string',
      default: '/opt/tritonserver/caches',
      effect: 'accepted',
      help: 'Where Triton looks for cache libraries. The caches of this server are built in.',
    },
  ],
}

/** The first form of `--cache-config=local,size=<bytes>`. */
export const RESPONSE_CACHE_BYTE_SIZE: Flag = {
  name: 'response-cache-byte-size',
  type: 'integer',
  min: 0,
  effect: 'served',
  help: 'DEPRECATED: use --cache-config.',
}
