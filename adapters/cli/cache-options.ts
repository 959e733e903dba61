import { didYouMean } from '../../core/config/nearest.ts'
import type { FlagReader } from './flag-reader.ts'
import { FlagError, type FlagValues } from './flag-types.ts'
import { cacheSetting } from './flag-values.ts'
import type { CacheFlags, RedisCacheFlags } from './options.ts'

/** Settings of Triton's Redis cache; those that are for a pool of connections mean nothing to one that needs no pool. */
const REDIS_SETTINGS = [
  'host',
  'port',
  'user',
  'password',
  'db',
  'connect_timeout',
  'socket_timeout',
  'pool_size',
  'wait_timeout',
  'ttl',
  'tls_enabled',
  'cacert',
  'cert',
  'key',
  'sni',
] as const
type Settings = ReadonlyMap<string, string>

/** `--cache-config` and the flag it replaced; undefined = no cache. */
export function cacheFlags(
  read: FlagReader,
  values: FlagValues,
): { readonly cache: CacheFlags | undefined; readonly warnings: readonly string[] } {
  if (values.has('response-cache-byte-size')) {
    if (values.has('cache-config')) {
      throw new FlagError(
        'Error: Incompatible flags --response-cache-byte-size and --cache-config both provided. Please provide one or the other.',
      )
    }
    const size = read.number('response-cache-byte-size')
    const warning = `'--response-cache-byte-size' has been deprecated! The equivalent is '--cache-config=local,size=${size}'`
    return { cache: localFlags(new Map([['size', String(size)]])), warnings: [warning] }
  }
  const byName = new Map<string, Map<string, string>>()
  for (const text of read.list('cache-config')) {
    const { name, key, value } = cacheSetting(text)
    byName.set(name, (byName.get(name) ?? new Map<string, string>()).set(key, value))
  }
  if (byName.size > 1) {
    throw new FlagError(
      'found multiple cache configurations, but only a single cache is currently supported',
    )
  }
  for (const [name, settings] of byName) {
    if (name === 'local') return { cache: localFlags(settings), warnings: [] }
    if (name === 'redis') return { cache: redisFlags(settings), warnings: [] }
    throw new FlagError(`unable to find cache '${name}', this server has: local, redis`)
  }
  return { cache: undefined, warnings: [] }
}

function localFlags(settings: Settings): CacheFlags {
  known('local', settings, ['size'])
  if (!settings.has('size')) {
    throw new FlagError(
      "Failed to initialize LocalCache: config didn't contain a valid 'size' field.",
    )
  }
  return { name: 'local', size: whole('local', settings, 'size', 0, 1) }
}

function redisFlags(settings: Settings): RedisCacheFlags {
  known('redis', settings, REDIS_SETTINGS)
  const host = settings.get('host')
  if (host === undefined || !settings.has('port')) {
    throw new FlagError(
      "Failed to initialize RedisCache, didn't specify address. Must at a minimum specify 'host' and 'port' in the configuration - e.g. tritonserver --cache-config redis,host=redis --cache-config redis,port=6379 --model-repository=/models ...",
    )
  }
  const file = (key: string): string => settings.get(key) ?? ''
  return {
    name: 'redis',
    host,
    port: whole('redis', settings, 'port', 0, 1, 65_535),
    user: settings.get('user') ?? '',
    password: settings.get('password') ?? '',
    database: whole('redis', settings, 'db', 0),
    connectTimeoutMs: whole('redis', settings, 'connect_timeout', 0) || undefined,
    lookupTimeoutMs: whole('redis', settings, 'socket_timeout', 0) || undefined,
    ttlSecs: settings.has('ttl') ? whole('redis', settings, 'ttl', 0) : undefined,
    tls:
      settings.get('tls_enabled') === 'true'
        ? { ca: file('cacert'), cert: file('cert'), key: file('key'), servername: file('sni') }
        : undefined,
  }
}

function known(cache: string, settings: Settings, names: readonly string[]): void {
  for (const name of settings.keys()) {
    if (names.includes(name)) continue
    throw new FlagError(
      `--cache-config: the ${cache} cache has no setting '${name}'${didYouMean(name, names)}`,
    )
  }
}

function whole(
  cache: string,
  settings: Settings,
  key: string,
  absent: number,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  const text = settings.get(key)
  if (text === undefined) return absent
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < min || number > max) {
    throw new FlagError(
      `--cache-config=${cache},${key} must be a whole number${max === Number.MAX_SAFE_INTEGER ? ` of at least ${min}` : ` from ${min} to ${max}`}. Got ${text}`,
    )
  }
  return number
}
