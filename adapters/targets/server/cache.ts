import { readFile } from 'node:fs/promises'
import { localCache } from '../../../core/cache/local-cache.ts'
import type { ResponseCache } from '../../../core/cache/types.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import type { CacheFlags, RedisCacheFlags } from '../../cli/options.ts'

/** The response cache as `--cache-config` says; undefined = none. */
export async function openCache(
  flags: CacheFlags | undefined,
  platform: { readonly clock: Clock; readonly log: Log },
): Promise<ResponseCache | undefined> {
  if (flags === undefined) return undefined
  if (flags.name === 'local') return localCache({ size: flags.size })
  const { redisCache } = await import('../../cache/redis.ts')
  const { host, port, user, password, database, connectTimeoutMs, lookupTimeoutMs, ttlSecs } = flags
  return redisCache({
    host,
    port,
    // As with Triton: what the command line says goes before.
    user: user || process.env['TRITONCACHE_REDIS_USERNAME'] || '',
    password: password || process.env['TRITONCACHE_REDIS_PASSWORD'] || '',
    database,
    ...(await tlsOf(flags)),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(lookupTimeoutMs === undefined ? {} : { lookupTimeoutMs }),
    ...(ttlSecs === undefined ? {} : { ttlSecs }),
    clock: platform.clock,
    log: platform.log,
  })
}

async function tlsOf({ tls }: RedisCacheFlags) {
  if (tls === undefined) return {}
  const pem = async (name: 'ca' | 'cert' | 'key') =>
    tls[name] === '' ? {} : { [name]: await readFile(tls[name], 'utf8') }
  return {
    tls: {
      ...(await pem('ca')),
      ...(await pem('cert')),
      ...(await pem('key')),
      ...(tls.servername === '' ? {} : { servername: tls.servername }),
    },
  }
}
