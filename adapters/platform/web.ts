import { createLog, type ServerLog } from '../../core/log.ts'
import type { Clock, Platform } from '../../core/platform.ts'
import type { LogSettings } from '../../core/server-types.ts'

export interface WebPlatform extends Platform {
  readonly clock: Clock
  readonly log: ServerLog
}

export interface WebPlatformOptions {
  readonly settings?: Partial<LogSettings>
  /** Takes whole lines, line feed included. Default: the browser's console. */
  readonly write?: (text: string) => void
}

/** Clock and log of a browser's page or worker. Its digest would be asynchronous, so there is none. */
export function webPlatform(options: WebPlatformOptions = {}): WebPlatform {
  const { settings = {}, write = (text) => console.info(text.trimEnd()) } = options
  return {
    clock: webClock(),
    log: createLog({
      write,
      epochUs: () => Math.floor((performance.timeOrigin + performance.now()) * 1000),
      pid: 1, // Triton's lines have one; a browser tells none.
      settings,
    }),
  }
}

/** The longest that browsers take: longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** `performance.now()` as nanoseconds. `after` never calls early; browsers delay timers of pages that are not seen. */
export function webClock(): Clock {
  const now = (): number => performance.now() * 1e6
  // A timer of 0 ms waits for 4 of them when it was set by another: messages do not.
  const { port1, port2 } = new MessageChannel()
  const waiting: (() => void)[] = []
  port1.onmessage = () => waiting.shift()?.()

  return {
    now,
    epochMs: () => Date.now(),
    after(delayNs, run) {
      const at = now() + delayNs
      let timer: ReturnType<typeof setTimeout>
      const approach = (): void => {
        const left = at - now()
        if (left <= 0) run()
        else timer = setTimeout(approach, Math.min(Math.ceil(left / 1e6), MAX_TIMER_MS))
      }
      timer = setTimeout(approach, Math.min(Math.ceil(delayNs / 1e6), MAX_TIMER_MS))
      return () => clearTimeout(timer)
    },
    nextTurn(run) {
      waiting.push(run)
      port2.postMessage(null)
    },
  }
}
