import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Runs V8's collector over the whole heap of this thread, which takes some 20 ms for a server's. V8 shows it only to contexts
 * that are made while its flag is set; it takes effect at any time.
 */
export function createCollector(): () => void {
  let collect: (() => void) | undefined
  return () => {
    if (collect === undefined) {
      setFlagsFromString('--expose-gc')
      collect = runInNewContext('gc') as () => void
      setFlagsFromString('--no-expose-gc')
    }
    collect()
  }
}
