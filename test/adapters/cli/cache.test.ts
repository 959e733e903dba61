import { describe, expect, it, test } from 'vitest'
import { parseArguments } from '../../../adapters/cli/parse.ts'

const parse = (...argv: string[]) => parseArguments({ argv, env: {}, program: 'nereid' })

function served(...argv: string[]) {
  const parsed = parse(...argv)
  if (parsed.kind !== 'serve') throw new Error(`not served: ${JSON.stringify(parsed)}`)
  return parsed
}

describe('CLI-10: the response cache', () => {
  it('is off until it is asked for', () => {
    expect(served().options.cache).toBeUndefined()
  })

  it('CACHE-01: in this process has a size', () => {
    const { options, warnings } = served('--cache-config=local,size=1048576')
    expect(options.cache).toEqual({ name: 'local', size: 1048576 })
    expect(warnings).toEqual([])
  })

  it('by its old flag is the same, with a word about it', () => {
    const { options, warnings } = served('--response-cache-byte-size=4096')
    expect(options.cache).toEqual({ name: 'local', size: 4096 })
    expect(warnings).toEqual([
      "'--response-cache-byte-size' has been deprecated! The equivalent is '--cache-config=local,size=4096'",
    ])
  })

  it('CACHE-05: in Redis has an address, and defaults for the rest', () => {
    const { options } = served(
      '--cache-config=redis,host=cache.local',
      '--cache-config=redis,port=6380',
    )
    expect(options.cache).toEqual({
      name: 'redis',
      host: 'cache.local',
      port: 6380,
      user: '',
      password: '',
      database: 0,
      connectTimeoutMs: undefined,
      lookupTimeoutMs: undefined,
      ttlSecs: undefined,
      tls: undefined,
    })
  })

  it("takes every setting of Triton's Redis cache", () => {
    const settings = {
      host: 'h',
      port: '1',
      user: 'u',
      password: 'p=w,d',
      db: '2',
      connect_timeout: '500',
      socket_timeout: '20',
      pool_size: '4',
      wait_timeout: '1000',
      ttl: '0',
      tls_enabled: 'true',
      cacert: 'ca.pem',
      cert: 'c.pem',
      key: 'k.pem',
      sni: 'name',
    }
    const argv = Object.entries(settings).map(
      ([key, value]) => `--cache-config=redis,${key}=${value}`,
    )
    expect(served(...argv).options.cache).toEqual({
      name: 'redis',
      host: 'h',
      port: 1,
      user: 'u',
      password: 'p=w,d',
      database: 2,
      connectTimeoutMs: 500,
      lookupTimeoutMs: 20,
      ttlSecs: 0,
      tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', servername: 'name' },
    })
  })
})

const REDIS = ['--cache-config=redis,host=h', '--cache-config=redis,port=1']

test.each([
  [
    ['--cache-config=local,size=1', '--cache-config=redis,host=h'],
    'found multiple cache configurations, but only a single cache is currently supported',
  ],
  [['--cache-config=disk,size=1'], "unable to find cache 'disk', this server has: local, redis"],
  [
    ['--cache-config=local,sise=1'],
    "--cache-config: the local cache has no setting 'sise'; did you mean 'size'?",
  ],
  [
    [...REDIS, '--cache-config=redis,pasword=x'],
    "--cache-config: the redis cache has no setting 'pasword'; did you mean 'password'?",
  ],
  [
    ['--cache-config=local,size=0'],
    '--cache-config=local,size must be a whole number of at least 1. Got 0',
  ],
  [
    ['--cache-config=local,size=1M'],
    '--cache-config=local,size must be a whole number of at least 1. Got 1M',
  ],
  [
    ['--cache-config=redis,host=h', '--cache-config=redis,port=70000'],
    '--cache-config=redis,port must be a whole number from 1 to 65535. Got 70000',
  ],
  [
    ['--response-cache-byte-size=0'],
    '--cache-config=local,size must be a whole number of at least 1. Got 0',
  ],
])('%j is refused', (argv, message) => {
  expect(parse(...argv)).toMatchObject({ kind: 'error', message })
})

test('a Redis without an address is refused in words of Triton', () => {
  for (const argv of [REDIS.slice(0, 1), REDIS.slice(1)]) {
    expect(parse(...argv)).toMatchObject({
      kind: 'error',
      message: expect.stringContaining(
        "Failed to initialize RedisCache, didn't specify address. Must at a minimum specify 'host' and 'port'",
      ),
    })
  }
})
