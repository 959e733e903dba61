import type { OrtApi } from './api.ts'
import type { Pointer } from './functions.ts'

/** Options of the runs of one instance, one run at a time; its flag stops the run in flight. */
export interface RunOptions {
  readonly pointer: Pointer
  /** Asks the run in flight to stop at its next operator: it fails with "terminate flag". */
  terminate(): void
  /** Makes it usable for the next run. True when the last one had been asked to stop. */
  reset(): boolean
  /** No run may be in flight. Idempotent. */
  close(): void
}

export function createRunOptions(
  api: OrtApi,
  entries: Readonly<Record<string, string>> = {},
): RunOptions {
  let pointer = api.result((out) => api.createRunOptions(out))
  let terminated = false
  for (const [key, value] of Object.entries(entries)) {
    api.check(api.addRunConfigEntry(pointer, key, value))
  }
  return {
    get pointer() {
      return pointer
    },
    terminate() {
      if (pointer === 0) return
      terminated = true
      api.check(api.runOptionsSetTerminate(pointer))
    },
    reset() {
      if (!terminated) return false
      terminated = false
      api.check(api.runOptionsUnsetTerminate(pointer))
      return true
    },
    close() {
      if (pointer !== 0) api.releaseRunOptions(pointer)
      pointer = 0
    },
  }
}
