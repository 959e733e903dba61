import { closeSync, openSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createLog, type ServerLog } from '../../core/log.ts'
import type { LogSettings } from '../../core/server-types.ts'

export interface NodeLogOptions {
  /** `log_file` '' = standard error. The file is appended to, as Triton does. */
  readonly settings?: Partial<LogSettings>
}

export interface NodeLog {
  readonly log: ServerLog
  /** Closes the log file; later lines go to standard error. Idempotent. */
  close(): void
}

/** Triton's log on standard error or in a file. Throws the system's error where the file cannot be opened. */
export function nodeLog(options: NodeLogOptions = {}): NodeLog {
  const file = options.settings?.log_file ?? ''
  let fd = file === '' ? -1 : openSync(file, 'a')

  // A reader that went away (`nereid | head`) is no reason to die.
  const stderr = process.stderr
  if (stderr.listenerCount('error') === 0) stderr.on('error', () => {})

  const write = (text: string): void => {
    if (fd < 0) {
      stderr.write(text)
      return
    }
    try {
      writeSync(fd, text)
    } catch {
      // A full disk loses lines of the log, never requests.
    }
  }

  const log = createLog({
    write,
    epochUs: () => Math.floor((performance.timeOrigin + performance.now()) * 1000),
    pid: process.pid,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  })
  return {
    log,
    close: () => {
      if (fd < 0) return
      closeSync(fd)
      fd = -1
    },
  }
}
