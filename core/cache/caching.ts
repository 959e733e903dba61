import type { ModelSource } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { Clock, Hash } from '../platform.ts'
import type { Scheduler } from '../schedulers/types.ts'
import type { ModelStats } from '../stats.ts'
import { createCachedScheduler } from './cached-scheduler.ts'
import { modelDigest } from './model-digest.ts'
import { portableHash } from './portable-hash.ts'
import { createRequestKeys } from './request-key.ts'
import type { ResponseCache } from './types.ts'

export interface CachedModel {
  readonly source: Pick<ModelSource, 'name' | 'version' | 'log'>
  /** Complete and normalized. */
  readonly config: ModelConfig
  /** What its answers belong to just now; null = nobody can tell, nothing is kept. */
  readonly identity: () => string | null
  readonly stats: ModelStats
}

/** The response cache of a server, as its models use it. */
export interface Caching {
  /**
   * What the answers of a model that is being loaded belong to. One that is loaded again has none of its old ones: in a cache
   * of this process each load is another model; where others use the cache too, config and files tell.
   */
  identify(options: {
    readonly source: Pick<ModelSource, 'name' | 'version' | 'store' | 'versionPath'>
    readonly config: ModelConfig
    readonly signal?: AbortSignal | undefined
  }): Promise<string>
  /** `inner` behind the cache, if the model's config asks for it. Throws INVALID_ARG for one that cannot have it. */
  schedule(inner: Scheduler, model: CachedModel): Scheduler
}

export function createCaching(options: {
  readonly cache: ResponseCache
  /** Default: one that is only safe against accidents. */
  readonly hash?: Hash | undefined
  readonly clock: Clock
}): Caching {
  const { cache, clock, hash = portableHash } = options
  let loads = 0
  return {
    async identify({ source, config, signal }) {
      if (cache.shared) return modelDigest({ source, config, hash, signal })
      return `${source.name}/${source.version}/${++loads}`
    },
    schedule(inner, { source, config, identity, stats }) {
      if (config.response_cache?.enable !== true) return inner
      const { name, version, log } = source
      if (config.model_transaction_policy?.decoupled === true) {
        // A config that says so itself was refused before: this is an ensemble whose steps are.
        throw new ServerError(
          'INVALID_ARG',
          `Response Cache does not currently support model ${name} with 'decoupled' transaction policy. Please disable the response cache.`,
        )
      }
      stats.cached = true
      return createCachedScheduler({
        inner,
        cache,
        keys: createRequestKeys({ config, hash }),
        identity,
        stats,
        clock,
        log,
        what: `model '${name}' version ${version}`,
        ordered: config.dynamic_batching?.preserve_ordering === true,
      })
    },
  }
}
