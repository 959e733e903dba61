import type { Clock, Log } from '../../core/platform.ts'

/** As much of `@redis/client`'s client as is used here. */
export interface RedisClient {
  on(event: 'error' | 'end', listener: (cause?: unknown) => void): unknown
  connect(): Promise<unknown>
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>
  destroy(): void
}

export interface RedisLinkOptions {
  /** Makes a client that is not connected yet and does not reconnect by itself. */
  readonly create: () => RedisClient
  /** `redis at host:port`, for log lines. */
  readonly what: string
  /** How long a connection may take to stand, handshake included. */
  readonly connectTimeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

/** First and longest pause between two attempts to connect. */
const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5000

/** A connection that is made again whenever it breaks; it says when that begins and when it is over. */
export interface RedisLink {
  /** Null while there is no connection. */
  readonly client: RedisClient | null
  /** Gives the connection up and makes a new one. */
  restart(reason: string): void
  /** When the first attempt to connect has ended, one way or the other. */
  readonly tried: Promise<void>
  close(): void
}

export function openRedisLink(options: RedisLinkOptions): RedisLink {
  const { clock, log, what } = options
  let client: RedisClient | null = null
  let current: RedisClient | null = null
  let retryMs = FIRST_RETRY_MS
  let cancelTimer = (): void => {}
  let told = false
  let closed = false
  let settle = (): void => {}
  const tried = new Promise<void>((resolve) => {
    settle = resolve
  })

  const lost = (one: RedisClient, reason: string): void => {
    if (one !== current || closed) return
    current = null
    client = null
    cancelTimer()
    discard(one)
    if (!told) log.warning(`response cache: ${what}: ${reason}; going on without it`)
    told = true
    settle()
    cancelTimer = clock.after(retryMs * 1e6, open)
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)
  }
  const open = (): void => {
    const one = options.create()
    current = one
    one.on('error', (cause) => lost(one, textOf(cause)))
    one.on('end', () => lost(one, 'the connection was closed'))
    cancelTimer = clock.after(options.connectTimeoutMs * 1e6, () =>
      lost(one, `no connection within ${options.connectTimeoutMs} ms`),
    )
    one.connect().then(
      () => {
        if (one !== current) return
        cancelTimer()
        client = one
        retryMs = FIRST_RETRY_MS
        log.info(`response cache: connected to ${what}`)
        told = false
        settle()
      },
      (cause: unknown) => lost(one, textOf(cause)),
    )
  }
  open()
  return {
    get client() {
      return client
    },
    tried,
    restart(reason) {
      if (client !== null) lost(client, reason)
    },
    close() {
      if (closed) return
      closed = true
      cancelTimer()
      settle()
      const one = current
      client = null
      current = null
      if (one !== null) discard(one)
    },
  }
}

/** A client that never stood, or fell, says so when it is destroyed. */
function discard(client: RedisClient): void {
  try {
    client.destroy()
  } catch {
    // It is gone already.
  }
}

function textOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return textOf(cause.errors[0])
  return cause instanceof Error ? cause.message : String(cause)
}
