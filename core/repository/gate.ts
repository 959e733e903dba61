/** Lets at most `limit` (at least 1) pieces of work run at once; the rest wait in order. */
export interface Gate {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createGate(limit: number): Gate {
  let free = Math.max(1, Math.floor(limit))
  const waiting: (() => void)[] = []

  return {
    async run(work) {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // A permit goes straight to the next in line, so nobody can overtake it.
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    },
  }
}

/** Runs work under one key strictly one after another; different keys do not wait for each other. */
export interface KeyedQueue {
  run<T>(key: string, work: () => Promise<T>): Promise<T>
  /** Resolves when everything that was queued until now has ended. */
  idle(): Promise<void>
}

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>()

  return {
    async run(key, work) {
      const before = tails.get(key) ?? Promise.resolve()
      const result = before.then(work, work)
      // The tail never rejects: the next in line does not care how the last one ended.
      const tail: Promise<unknown> = result.then(
        () => undefined,
        () => undefined,
      )
      tails.set(key, tail)
      try {
        return await result
      } finally {
        if (tails.get(key) === tail) tails.delete(key)
      }
    },
    async idle() {
      await Promise.all(tails.values())
    },
  }
}
