import { statSync } from 'node:fs'

/** How often files are looked at, milliseconds. */
export const WATCH_MS = 500

export interface FileWatch {
  /** Looks now and calls `changed` whether or not the files look changed. */
  check(): void
  /** Idempotent. */
  close(): void
}

/** Calls `changed` some time after one of `paths` has become another file or has other content. */
export type WatchFiles = (paths: readonly string[], changed: () => void) => FileWatch

/**
 * Looks at the files twice a second, through symbolic links, so that a rename over a file and a link that is moved (as
 * Kubernetes changes secrets) are seen as well as a write. SIGHUP looks at once.
 */
export const watchFiles: WatchFiles = (paths, changed) => {
  let before = paths.map(identity).join()
  const look = (): void => {
    const now = paths.map(identity).join()
    if (now === before) return
    before = now
    changed()
  }
  const force = (): void => {
    before = paths.map(identity).join()
    changed()
  }
  const timer = setInterval(look, WATCH_MS).unref()
  process.on('SIGHUP', force)
  return {
    check: force,
    close() {
      clearInterval(timer)
      process.removeListener('SIGHUP', force)
    },
  }
}

function identity(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return ''
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`
}
