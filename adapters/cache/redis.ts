import { responseBytes } from '../../core/cache/copy-response.ts'
import { decodeResponse, encodeResponse } from '../../core/cache/response-codec.ts'
import type { CachedResponse, ResponseCache } from '../../core/cache/types.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { openRedisLink, type RedisClient } from './redis-link.ts'

export const DEFAULT_CONNECT_TIMEOUT_MS = 1000
/** How long a request waits for Redis before it runs: a cache that takes longer is none. */
export const DEFAULT_LOOKUP_TIMEOUT_MS = 100
/** A day: what is not asked for any more goes, also where Redis is told to keep everything. */
export const DEFAULT_TTL_SECS = 86_400
/** A larger response is quicker computed than fetched. */
export const MAX_ENTRY_BYTES: number = 16 * 1024 * 1024
/** Bytes on their way to Redis; what comes beyond is not kept. */
export const MAX_PENDING_BYTES: number = 64 * 1024 * 1024
/** Look-ups on their way; what comes beyond runs. */
const MAX_COMMANDS = 4096
/** An answer that is so late is not coming any more. */
const GIVE_UP_MS = 1000
/** Other programs may use the same Redis. */
const KEY_PREFIX = 'nereid:response:'
/** Redis' strings are bytes here: `BLOB_STRING` of its protocol. */
const AS_BYTES = { typeMapping: { 36: Buffer } }

export interface RedisCacheOptions {
  readonly host: string
  readonly port: number
  /** '' = Redis' default user. */
  readonly user?: string
  /** '' = none. */
  readonly password?: string
  /** Default 0. */
  readonly database?: number
  /** PEM texts; absent = no TLS. */
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly servername?: string
  }
  readonly connectTimeoutMs?: number
  readonly lookupTimeoutMs?: number
  /** 0 = Redis keeps it until it needs the room. */
  readonly ttlSecs?: number
  readonly clock: Clock
  readonly log: Log
}

/**
 * `--cache-config=redis,…`: responses in a Redis that several servers share. One that is gone or slow costs a request no more
 * than the look-up's deadline, and none while it is known to be away; it is said once when it goes and once when it is back.
 * Resolves when the first attempt to connect has ended.
 */
export async function redisCache(options: RedisCacheOptions): Promise<ResponseCache> {
  const { clock, log } = options
  const { createClient } = await import('@redis/client')
  const connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
  const lookupNs = (options.lookupTimeoutMs ?? DEFAULT_LOOKUP_TIMEOUT_MS) * 1e6
  const ttlSecs = options.ttlSecs ?? DEFAULT_TTL_SECS
  const expiry = ttlSecs === 0 ? [] : ['EX', String(ttlSecs)]
  const socket = {
    host: options.host,
    port: options.port,
    connectTimeout: connectTimeoutMs,
    reconnectStrategy: false as const,
  }
  const link = openRedisLink({
    create: () =>
      createClient({
        RESP: 2,
        socket: options.tls === undefined ? socket : { ...socket, ...options.tls, tls: true },
        ...(options.user ? { username: options.user } : {}),
        ...(options.password ? { password: options.password } : {}),
        database: options.database ?? 0,
        commandsQueueMaxLength: MAX_COMMANDS,
        disableOfflineQueue: true,
        disableClientInfo: true,
        maintNotifications: 'disabled',
      }) as unknown as RedisClient,
    what: `redis at ${options.host}:${options.port}`,
    connectTimeoutMs,
    clock,
    log,
  })
  let overdue = 0
  let pendingBytes = 0
  let refusalTold = false

  const refused = (cause: unknown): void => {
    if (link.client === null) return
    if (!refusalTold)
      log.warning(`response cache: redis refuses to keep a response: ${text(cause)}`)
    refusalTold = true
  }
  /** Calls `give` once, by the deadline; one that does not answer at all is given up. */
  const lookUp = (
    client: RedisClient,
    key: string,
    give: (found: CachedResponse | null) => void,
  ): void => {
    let late = false
    let cancel = clock.after(lookupNs, () => {
      late = true
      overdue++
      cancel = clock.after(GIVE_UP_MS * 1e6, () => {
        if (link.client === client) link.restart(`no answer within ${GIVE_UP_MS} ms`)
      })
      give(null)
    })
    const ended = (found: CachedResponse | null): void => {
      cancel()
      if (late) overdue--
      else give(found)
    }
    client.sendCommand(['GET', nameOf(key)], AS_BYTES).then(
      (reply) => ended(reply instanceof Uint8Array ? decodeResponse(reply) : null),
      () => ended(null),
    )
  }

  await link.tried
  return {
    name: 'redis',
    shared: true,
    maxEntryBytes: MAX_ENTRY_BYTES,
    get(key) {
      const { client } = link
      // While it owes answers nobody else waits for one.
      if (client === null || overdue > 0) return null
      return new Promise((resolve) => lookUp(client, key, resolve))
    },
    put(key, response) {
      const { client } = link
      const bytes = responseBytes(response)
      if (client === null || pendingBytes + bytes > MAX_PENDING_BYTES) return true
      pendingBytes += bytes
      const value = encodeResponse(response)
      const buffer = Buffer.from(value.buffer, value.byteOffset, value.length)
      client.sendCommand(['SET', nameOf(key), buffer, ...expiry]).then(
        () => {
          pendingBytes -= bytes
          refusalTold = false
        },
        (cause: unknown) => {
          pendingBytes -= bytes
          refused(cause)
        },
      )
      return true
    },
    close() {
      link.close()
      return Promise.resolve()
    },
  }
}

function nameOf(key: string): string {
  return KEY_PREFIX + Buffer.from(key, 'latin1').toString('hex')
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
