import { performance } from 'node:perf_hooks'
import type { Log } from '../../core/platform.ts'

/** Smaller downloads are no news. */
export const LARGE_BYTES: number = 64 * 1024 * 1024
/** Between two lines about one download. */
const EVERY_MS = 5_000
const MIB = 1024 * 1024

export interface DownloadReport {
  progress(bytes: number): void
  done(): void
}

/** Tells of a download: every few seconds and at the end when it is large, else in the verbose log alone. */
export function downloadReport(options: {
  readonly log: Log
  /** How the lines call it. */
  readonly what: string
  readonly bytes: number
}): DownloadReport {
  const { log, what, bytes } = options
  const start = performance.now()
  let last = start
  let done = 0
  const say = (line: string): void => {
    if (bytes >= LARGE_BYTES) log.info(line)
    else log.verbose(1, line)
  }
  if (bytes >= LARGE_BYTES) log.info(`downloading ${what}: ${mib(bytes)} MiB`)
  return {
    progress(count) {
      done += count
      const now = performance.now()
      if (now - last < EVERY_MS || done === bytes) return
      last = now
      const rate = done / MIB / ((now - start) / 1000)
      say(
        `downloading ${what}: ${mib(done)} of ${mib(bytes)} MiB (${Math.floor((100 * done) / bytes)} %, ${rate.toFixed(1)} MiB/s)`,
      )
    },
    done() {
      const secs = (performance.now() - start) / 1000
      say(`downloaded ${what}: ${mib(bytes)} MiB in ${secs.toFixed(1)} s`)
    },
  }
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)
}
