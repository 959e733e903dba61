import { afterEach, describe, expect, it } from 'vitest'
import { type RedisCacheOptions, redisCache } from '../../../adapters/cache/redis.ts'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import type { CachedResponse, ResponseCache } from '../../../core/cache/types.ts'
import { TestAuthority } from '../../helpers/certificates.ts'
import { NO_REDIS, type TestRedis, testRedis } from '../../helpers/redis.ts'

const KEY = String.fromCharCode(...Array.from({ length: 32 }, (_, i) => i * 8))
const NAME = `nereid:response:${Buffer.from(KEY, 'latin1').toString('hex')}`
const response = (bytes = 3): CachedResponse => ({
  outputs: [{ name: 'Y', datatype: 'UINT8', shape: [bytes], data: new Uint8Array(bytes).fill(9) }],
})

/** A log whose lines can be waited for. */
function waitingLog() {
  const lines: string[] = []
  const waiting: { text: string; count: number; resolve: () => void }[] = []
  const write = (line: string): void => {
    lines.push(line)
    for (const one of waiting) if (count(one.text) >= one.count) one.resolve()
  }
  const count = (text: string) => lines.filter((line) => line.includes(text)).length
  return {
    lines,
    /** Resolves when `text` was said `times` times. */
    said: (text: string, times = 1) =>
      new Promise<void>((resolve) => {
        if (count(text) >= times) resolve()
        else waiting.push({ text, count: times, resolve })
      }),
    error: write,
    warning: write,
    info: write,
    verbose() {},
  }
}

describe.skipIf(NO_REDIS !== undefined)(
  `CACHE-05: a response cache in Redis${NO_REDIS === undefined ? '' : ` (${NO_REDIS})`}`,
  () => {
    let redis: TestRedis
    const open: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close()
      await redis.stop()
    })
    async function start(...settings: string[]): Promise<void> {
      redis = await testRedis()
      await redis.start(...settings)
    }
    async function connect(options: Partial<RedisCacheOptions> = {}) {
      const log = waitingLog()
      const cache = await redisCache({
        host: '127.0.0.1',
        port: redis.port,
        // What these tests wait for is an answer, not a deadline.
        lookupTimeoutMs: 10_000,
        clock: nodeClock(),
        log,
        ...options,
      })
      open.push(cache)
      return { cache, log }
    }
    /** Looks up until what was put in the background is there. */
    async function found(cache: ResponseCache, key = KEY): Promise<CachedResponse | null> {
      for (let i = 0; i < 1000; i++) {
        const one = await cache.get(key)
        if (one !== null) return one
        await new Promise((resolve) => setImmediate(resolve))
      }
      return null
    }

    it('gives one server what another one put there', async () => {
      await start()
      const [one, other] = [await connect(), await connect()]
      expect(await one.cache.get(KEY)).toBeNull()
      expect(one.cache.put(KEY, response())).toBe(true)
      expect(await found(other.cache)).toEqual(response())
      expect(one.log.lines).toEqual([
        `response cache: connected to redis at 127.0.0.1:${redis.port}`,
      ])
    })

    it('carries large responses whole', async () => {
      await start()
      const { cache } = await connect()
      cache.put(KEY, response(5_000_000))
      const back = await found(cache)
      const [sent, got] = [response(5_000_000).outputs[0]!.data, back!.outputs[0]!.data]
      expect(Buffer.compare(got, sent)).toBe(0)
    })

    it('lets responses expire after a day, or as long as it is told', async () => {
      await start()
      const { cache } = await connect()
      cache.put(KEY, response())
      await found(cache)
      expect(await redis.command(`TTL ${NAME}`)).toMatch(/^:86(400|399)/)
      const forever = await connect({ ttlSecs: 0 })
      forever.cache.put(KEY, response(4))
      await forever.cache.get(KEY)
      expect(await redis.command(`TTL ${NAME}`)).toBe(':-1\r\n')
    })

    it('takes nothing for a response that is none', async () => {
      await start()
      const { cache, log } = await connect()
      await redis.command(`SET ${NAME} nonsense`)
      expect(await cache.get(KEY)).toBeNull()
      await redis.command(`DEL ${NAME}`)
      await redis.command(`LPUSH ${NAME} list`)
      expect(await cache.get(KEY)).toBeNull()
      expect(log.lines).toHaveLength(1)
    })

    it('that is not there at the start is done without, said once, and found later', async () => {
      redis = await testRedis()
      const { cache, log } = await connect()
      expect(cache.get(KEY)).toBeNull()
      expect(cache.put(KEY, response())).toBe(true)
      expect(log.lines).toHaveLength(1)
      expect(log.lines[0]).toMatch(
        /^response cache: redis at 127\.0\.0\.1:\d+: connect ECONNREFUSED .*; going on without it$/,
      )
      await redis.start()
      await log.said('connected to redis')
      cache.put(KEY, response())
      expect(await found(cache)).toEqual(response())
      expect(log.lines).toHaveLength(2)
    })

    it('that dies is done without, said once, and found again', async () => {
      await start()
      const { cache, log } = await connect()
      const waiting = cache.get(KEY)
      await redis.kill()
      expect(await waiting).toBeNull()
      await log.said('going on without it')
      expect(cache.get(KEY)).toBeNull()
      await redis.start()
      await log.said('connected to redis', 2)
      cache.put(KEY, response())
      expect(await found(cache)).toEqual(response())
      expect(log.lines).toHaveLength(3)
    })

    it('that hangs costs the first requests their deadline and the others nothing, and is found again', async () => {
      await start()
      const { cache, log } = await connect({ lookupTimeoutMs: 20 })
      redis.pause()
      const first = [cache.get(KEY), cache.get(KEY)]
      expect(first.every((one) => one instanceof Promise)).toBe(true)
      expect(await Promise.all(first)).toEqual([null, null])
      expect(cache.get(KEY)).toBeNull()
      await log.said('no answer within 1000 ms; going on without it')
      expect(cache.get(KEY)).toBeNull()
      redis.resume()
      await log.said('connected to redis', 2)
      expect(log.lines).toHaveLength(3)
    })

    it('that was only slow goes on being asked, on the same connection', async () => {
      await start()
      const { cache, log } = await connect({ lookupTimeoutMs: 20 })
      redis.pause()
      expect(await cache.get(KEY)).toBeNull()
      redis.resume()
      let again = cache.get(KEY)
      for (; again === null; again = cache.get(KEY)) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(await again).toBeNull()
      expect(log.lines).toHaveLength(1)
    })

    it('says once that Redis keeps nothing more', async () => {
      await start('--maxmemory', '1mb', '--maxmemory-policy', 'noeviction')
      const { cache, log } = await connect()
      for (let i = 0; i < 3; i++) cache.put(KEY, response(2_000_000))
      await log.said('redis refuses to keep a response: OOM')
      expect(await cache.get(KEY)).toBeNull()
      expect(log.lines).toHaveLength(2)
    })

    it('lets in with a password only', async () => {
      await start('--requirepass', 'secret')
      const right = await connect({ password: 'secret' })
      right.cache.put(KEY, response())
      expect(await found(right.cache)).toEqual(response())
      const wrong = await connect({ password: 'guess' })
      expect(wrong.cache.get(KEY)).toBeNull()
      expect(wrong.log.lines[0]).toContain('WRONGPASS')
      expect(wrong.log.lines.join()).not.toContain('guess')
    })

    it('lets in over TLS, and only whom it can trust', async () => {
      redis = await testRedis()
      const authority = new TestAuthority()
      const own = authority.sign('/CN=redis', 'IP:127.0.0.1')
      await redis.start(
        '--port',
        '0',
        '--tls-port',
        String(redis.port),
        '--tls-cert-file',
        redis.file('cert', own.cert),
        '--tls-key-file',
        redis.file('key', own.key),
        '--tls-ca-cert-file',
        redis.file('ca', authority.cert),
      )
      const client = authority.sign('/CN=client', 'DNS:client')
      const { cert, key } = client
      const right = await connect({ tls: { ca: authority.cert, cert, key } })
      right.cache.put(KEY, response())
      expect(await found(right.cache)).toEqual(response())
      const stranger = await connect({ tls: { cert, key } })
      expect(stranger.cache.get(KEY)).toBeNull()
      expect(stranger.log.lines[0]).toContain('going on without it')
    })

    it('has nothing once it is closed, and may be closed again', async () => {
      await start()
      const { cache } = await connect()
      const waiting = cache.get(KEY)
      await cache.close()
      await cache.close()
      expect(await waiting).toBeNull()
      expect(cache.get(KEY)).toBeNull()
    })
  },
)
