/** Waits until a scheduler has nothing left to answer. */
export interface Drain {
  /** True once {@link close} was called: nothing new is taken. */
  readonly draining: boolean
  /** To be called whenever something was answered. */
  check(): void
  /** Resolves when the scheduler is empty; every call waits for the same end. */
  close(): Promise<void>
}

export function createDrain(options: {
  readonly empty: () => boolean
  /** Runs once, when draining begins: whatever waits for company may now go alone. */
  readonly onStart?: () => void
}): Drain {
  let closing: Promise<void> | null = null
  let finish: (() => void) | null = null
  const check = (): void => {
    if (finish === null || !options.empty()) return
    const resolve = finish
    finish = null
    resolve()
  }
  return {
    get draining() {
      return closing !== null
    },
    check,
    close() {
      if (closing === null) {
        closing = new Promise((resolve) => {
          finish = resolve
        })
        options.onStart?.()
        check()
      }
      return closing
    },
  }
}
