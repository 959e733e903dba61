import { createCachedScheduler } from '../../../core/cache/cached-scheduler.ts'
import { localCache } from '../../../core/cache/local-cache.ts'
import { portableHash } from '../../../core/cache/portable-hash.ts'
import { createRequestKeys } from '../../../core/cache/request-key.ts'
import type { CachedResponse, ResponseCache } from '../../../core/cache/types.ts'
import { createRig, IDENTITY, type Rig, type RigOptions } from '../schedulers/rig.ts'

export interface CachedRigOptions extends RigOptions {
  /** Default: a local one of 1 MiB. */
  readonly cache?: ResponseCache
  readonly identity?: () => string | null
}

export interface CachedRig extends Rig {
  readonly cache: ResponseCache
  readonly warnings: readonly string[]
}

/** A rig whose scheduler has a cache before it. */
export function createCachedRig(options: CachedRigOptions = {}): CachedRig {
  const cache = options.cache ?? localCache({ size: 1024 * 1024 })
  const config = { ...IDENTITY, ...options.config }
  const warnings: string[] = []
  const rig = createRig({
    ...options,
    wrap: (inner, tools) =>
      createCachedScheduler({
        inner,
        cache,
        keys: createRequestKeys({ config, hash: portableHash }),
        identity: options.identity ?? (() => 'model'),
        ...tools,
        log: { ...tools.log, warning: (line) => void warnings.push(line) },
        what: "model 'm' version 1",
        ordered: config.dynamic_batching?.preserve_ordering === true,
      }),
  })
  return { ...rig, cache, warnings }
}

/** A cache in another process: what was asked of it is answered when the test says so. */
export function remoteCache() {
  const entries = new Map<string, CachedResponse>()
  const asked: (() => void)[] = []
  const cache: ResponseCache = {
    name: 'remote',
    shared: true,
    maxEntryBytes: 1024 * 1024,
    get: (key) =>
      new Promise((resolve) => {
        asked.push(() => resolve(entries.get(key) ?? null))
      }),
    put(key, response) {
      entries.set(key, response)
      return true
    },
    close: () => Promise.resolve(),
  }
  return {
    cache,
    entries,
    /** Answers the oldest look-up, and lets what follows from it happen. */
    async answerOne() {
      asked.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    },
    get asked() {
      return asked.length
    },
  }
}
