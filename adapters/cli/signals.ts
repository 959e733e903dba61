import type { Log } from '../../core/platform.ts'

const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

/**
 * Runs `stop` at the first SIGTERM or SIGINT and exits with 0 when it succeeded in time, else with 1. A second signal
 * ends the process at once.
 */
export function exitOnSignals(log: Log, stop: () => Promise<boolean>): void {
  let stopping = false
  const receive = (signal: keyof typeof NUMBERS): void => {
    log.info(`Signal (${NUMBERS[signal]}) received.`)
    if (stopping) {
      log.warning('second signal: exiting without waiting for in-flight requests')
      process.exit(1)
    }
    stopping = true
    stop().then(
      (inTime) => process.exit(inTime ? 0 : 1),
      (error: unknown) => {
        log.error(`failed to stop cleanly: ${String(error)}`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', receive)
  process.on('SIGINT', receive)
}
