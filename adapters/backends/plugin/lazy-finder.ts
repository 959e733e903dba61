import type { BackendFinder } from '../../../core/backend/finder.ts'

/** A finder that is read when a model first names a backend that the server does not have. */
export function lazyFinder(open: () => Promise<BackendFinder>): BackendFinder {
  let opened: Promise<BackendFinder> | undefined
  return {
    async find(query) {
      opened ??= open()
      return (await opened).find(query)
    },
    async locate(query) {
      opened ??= open()
      return (await opened).locate(query)
    },
    async close() {
      await (await opened)?.close()
    },
  }
}
