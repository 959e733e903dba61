import type { Clock } from '../platform.ts'

export interface Poller {
  /** Stops polling and waits for a poll that runs. Idempotent. */
  close(): Promise<void>
}

/**
 * Calls `poll` again and again, `intervalNs` after the last one ended; the first call comes one interval after the start.
 * `poll` gets a signal that fires on close and must not throw.
 */
export function startPolling(options: {
  readonly clock: Clock
  readonly intervalNs: number
  readonly poll: (signal: AbortSignal) => Promise<void>
}): Poller {
  const { clock, intervalNs, poll } = options
  const abort = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let cancel = clock.after(intervalNs, tick)

  function tick(): void {
    running = poll(abort.signal).then(() => {
      if (!abort.signal.aborted) cancel = clock.after(intervalNs, tick)
    })
  }

  return {
    async close() {
      abort.abort()
      cancel()
      await running
    },
  }
}
