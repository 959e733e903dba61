import type { BackendFinder } from './backend/finder.ts'
import type { Backend } from './backend/types.ts'
import { createCaching } from './cache/caching.ts'
import type { ResponseCache } from './cache/types.ts'
import { ServerError } from './errors.ts'
import { RETRY_AFTER_SECS } from './overload/types.ts'
import type { ModelStore, Platform } from './platform.ts'
import { createRateLimiter } from './rate-limit/rate-limiter.ts'
import { loadAtStart } from './repository/load-at-start.ts'
import { RepositoryManager } from './repository/manager.ts'
import { ModelsOnDemand } from './repository/on-demand.ts'
import { peersOnDemand } from './repository/peers-on-demand.ts'
import { type Poller, startPolling } from './repository/poll.ts'
import { repositoryIndex } from './repository/repository-index.ts'
import { ModelRoutes } from './repository/routes.ts'
import { type StartupRow, startupReport } from './repository/startup-report.ts'
import {
  DEFAULT_EXIT_TIMEOUT_MS,
  DEFAULT_LOAD_THREADS,
  DEFAULT_POLL_SECS,
  type OnDemandOptions,
  type ServerOptions,
} from './server-options.ts'
import type { InferenceServer, ModelStatisticsEntry } from './server-types.ts'
import { policyOf, TrafficTable } from './traffic/table.ts'

/** The Triton release whose behaviour this server has. */
export const TRITON_VERSION = '2.51.0'

/** What server metadata lists, in Triton's order. */
export const EXTENSIONS: readonly string[] = [
  'classification',
  'sequence',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'model_configuration',
  'system_shared_memory',
  'cuda_shared_memory',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
]

/** Named in the server's metadata where versions may share traffic. Not an extension that Triton has. */
export const TRAFFIC_EXTENSION = 'nereid_model_traffic'
/** Named there where models are loaded on demand. */
export const ON_DEMAND_EXTENSION = 'nereid_load_on_demand'

export interface Server extends InferenceServer {
  /** What could not be loaded at start, one line each; empty when everything serves (`--exit-on-error` reads it). */
  readonly startupErrors: readonly string[]
  /** One row per model version, for the start-up table. */
  startupReport(): readonly StartupRow[]
  /** Says that it is not ready from now on, and goes on serving: clients are to go elsewhere before {@link close}. */
  drain(): void
}

export interface CreateServerOptions {
  readonly platform: Platform
  /** In the order of the `--model-repository` flags. */
  readonly stores: readonly ModelStore[]
  readonly backends: readonly Backend[]
  /** Finds backends that are not among them; closed with the server. Default none. */
  readonly finder?: BackendFinder | undefined
  /** What files that come with a load request are served through. Default: they are served as they are. */
  readonly guard?: ((store: ModelStore) => ModelStore) | undefined
  /** Keeps the responses of models that ask for it; closed with the server. Default none. */
  readonly cache?: ResponseCache | undefined
  readonly options?: ServerOptions
}

/**
 * Makes a server and loads what its control mode loads at start. A model that cannot be loaded is reported, not thrown;
 * throws INVALID_ARG for options that contradict each other.
 */
export async function createServer(setup: CreateServerOptions): Promise<Server> {
  const { platform, stores, backends, finder, guard, cache, options = {} } = setup
  const mode = options.modelControlMode ?? 'none'
  const loadModels = options.loadModels ?? []
  if (mode === 'explicit' && loadModels.includes('*') && loadModels.length > 1) {
    throw new ServerError(
      'INVALID_ARG',
      "Wildcard model name '*' must be the ONLY startup model if specified at all.",
    )
  }
  const strict = options.strictReadiness ?? true
  let accepting = true
  let draining = false
  let closing: Promise<void> | undefined
  let poller: Poller | undefined

  const routes: ModelRoutes = new ModelRoutes(() => manager.records)
  const traffic =
    options.modelTraffic === true
      ? new TrafficTable({
          clock: platform.clock,
          log: platform.log,
          versionsOf: (name) => routes.versionsOf(name),
          changed: () => routes.touch(),
        })
      : undefined
  const onDemand =
    options.loadOnDemand === undefined ? undefined : modelsOnDemand(options.loadOnDemand)
  const manager: RepositoryManager = new RepositoryManager({
    platform,
    stores,
    backends: new Map(backends.map((backend) => [backend.name, backend])),
    finder,
    guard,
    backendConfig: options.backendConfig ?? new Map(),
    mode,
    autoComplete: !(options.disableAutoComplete ?? false),
    configName: options.modelConfigName ?? '',
    threads: options.modelLoadThreadCount ?? DEFAULT_LOAD_THREADS,
    retries: options.modelLoadRetryCount ?? 0,
    limiter:
      options.rateLimit === undefined
        ? undefined
        : createRateLimiter({ clock: platform.clock, ...options.rateLimit }),
    caching:
      cache === undefined
        ? undefined
        : createCaching({ cache, hash: platform.hash, clock: platform.clock }),
    changed: (record) => {
      onDemand?.changed(record)
      if (!accepting) return
      routes.update(record)
      traffic?.update(record.name)
    },
    ...(onDemand === undefined
      ? {}
      : {
          claim: (name, config, bytes) => onDemand.claim(name, config, bytes),
          parts: (models) => onDemand.protect(models),
          peers: (peers) => peersOnDemand(onDemand, peers),
        }),
    checkConfig: traffic === undefined ? undefined : (config) => void policyOf(config),
  })
  const startupErrors = await loadAtStart({ manager, mode, loadModels, onDemand })
  if (mode === 'poll') {
    poller = startPolling({
      clock: platform.clock,
      intervalNs: (options.repositoryPollSecs ?? DEFAULT_POLL_SECS) * 1e9,
      poll: () => manager.poll(),
    })
  }

  function modelsOnDemand({ budget, pinned }: OnDemandOptions): ModelsOnDemand {
    if (mode !== 'none') {
      throw new ServerError(
        'INVALID_ARG',
        `models cannot be loaded on demand in model control mode '${mode}'`,
      )
    }
    return new ModelsOnDemand({
      clock: platform.clock,
      log: platform.log,
      budget,
      pinned,
      parallel: options.modelLoadThreadCount ?? DEFAULT_LOAD_THREADS,
      load: (name) => manager.bring(name),
      unload: (name) => manager.evict(name),
      isNeeded: (name) => manager.isNeeded(name),
    })
  }

  function requireAccepting(): void {
    if (accepting) return
    throw new ServerError('UNAVAILABLE', 'Server not ready', { retryAfterSecs: RETRY_AFTER_SECS })
  }

  function modelReady(name: string, version: string): boolean {
    return routes.get(name, version)?.ready ?? onDemand?.offers(name, version) ?? false
  }

  async function shutDown(timeoutMs: number): Promise<void> {
    accepting = false
    onDemand?.close()
    routes.clear()
    platform.log.info('Waiting for in-flight requests to complete.')
    let cancel = (): void => {}
    const timeUp = new Promise<true>((resolve) => {
      cancel = platform.clock.after(timeoutMs * 1e6, () => resolve(true))
    })
    const closed = Promise.all([manager.close(), poller?.close()])
    const expired = await Promise.race([closed.then(() => false), timeUp])
    cancel()
    if (expired) {
      platform.log.error('Exit timeout expired. Exiting immediately.')
      manager.terminate()
    }
    await finder?.close()
    await cache?.close()
  }

  return {
    id: options.id ?? 'triton',
    version: TRITON_VERSION,
    extensions: [
      ...EXTENSIONS,
      ...(traffic === undefined ? [] : [TRAFFIC_EXTENSION]),
      ...(onDemand === undefined ? [] : [ON_DEMAND_EXTENSION]),
    ],
    ...(traffic === undefined ? {} : { traffic }),
    ...(onDemand === undefined ? {} : { onDemand }),
    startupErrors,
    startupReport: () => startupReport(manager.records),
    get generation() {
      return routes.generation
    },
    get inflight() {
      return manager.inflight
    },
    live: () => true,
    ready() {
      if (!accepting || draining) return false
      if (!strict) return true
      for (const record of manager.records.values()) if (!record.healthy) return false
      return true
    },
    model(name, version) {
      requireAccepting()
      const front = version === '' ? traffic?.front(name) : undefined
      return front ?? routes.find(name, version)
    },
    askModelReady(name, version) {
      const model = routes.get(name, version)
      if (model?.ready === true && model.tellReady !== undefined) return model.tellReady()
      return modelReady(name, version)
    },
    modelReady,
    modelMetadata(name, version) {
      requireAccepting()
      const { inputs, outputs, config } = routes.find(name, version)
      return {
        name,
        versions:
          version === ''
            ? routes.versionsOf(name).map((model) => String(model.version))
            : [String(routes.find(name, version).version)],
        platform: config.platform || config.backend || '',
        inputs,
        outputs,
      }
    },
    modelConfig(name, version) {
      requireAccepting()
      return routes.find(name, version).config
    },
    statistics(name, version) {
      requireAccepting()
      return modelStatistics(routes, name ?? '', version ?? '')
    },
    models: () => routes.serving(),
    async index(readyOnly) {
      requireAccepting()
      return repositoryIndex({ stores, records: manager.records, readyOnly })
    },
    async load(name, overrides) {
      requireAccepting()
      await manager.load(name, overrides)
    },
    async unload(name, unloadDependents) {
      requireAccepting()
      await manager.unload(name, unloadDependents)
    },
    forget: (name) => manager.forget(name),
    drain() {
      draining = true
    },
    close(timeoutMs = DEFAULT_EXIT_TIMEOUT_MS) {
      closing ??= shutDown(timeoutMs)
      return closing
    },
  }
}

function modelStatistics(
  routes: ModelRoutes,
  name: string,
  version: string,
): readonly ModelStatisticsEntry[] {
  const models = name === '' ? [...routes.serving()] : routes.versionsOf(name)
  if (name !== '' && models.length === 0) {
    throw new ServerError('INVALID_ARG', `requested model '${name}' is not available`)
  }
  const chosen = version === '' ? models : models.filter((one) => one === routes.get(name, version))
  if (chosen.length === 0 && version !== '') {
    throw new ServerError(
      'INVALID_ARG',
      `requested model version is not available for model '${name}'`,
    )
  }
  return chosen.map((model) => ({
    name: model.name,
    version: String(model.version),
    stats: model.stats,
  }))
}
