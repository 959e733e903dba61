import { performance } from 'node:perf_hooks'
import type { ResponseCache } from '../../../core/cache/types.ts'
import type { Gates } from '../../../core/overload/types.ts'
import type { Log } from '../../../core/platform.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { createServer, type Server } from '../../../core/server.ts'
import { NO_SHARED_MEMORY } from '../../../core/shared-memory/no-shared-memory.ts'
import { createSharedMemory } from '../../../core/shared-memory/regions.ts'
import type { SharedMemory, SharedMemoryHost } from '../../../core/shared-memory/types.ts'
import { cacheMetrics } from '../../cache/metrics.ts'
import type { ServeOptions } from '../../cli/options.ts'
import type { ServerParts } from '../../cli/run.ts'
import { startMetricsServer } from '../../metrics/server.ts'
import { overloadMetrics } from '../../overload/metrics.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { ArchiveStore } from '../../sagemaker/archive-store.ts'
import { posixSharedMemory } from '../../shared-memory/posix.ts'
import type { OpenStores } from '../../stores/open.ts'
import { type OpenTrace, openTrace } from '../../trace/open.ts'
import { BACKEND_NAMES, type OpenBackends, openBackends } from './backends.ts'
import { openCache } from './cache.ts'
import { type Doors, openDoors } from './doors.ts'
import { type HostDoor, startHttpDoor } from './http-door.ts'
import { type Overload, openOverload } from './overload.ts'
import { openRepositories } from './stores.ts'

/** The parts of a server on this machine: models on disk, ONNX Runtime, HTTP and metrics on ports of their own. */
export function serverParts(setup: {
  readonly options: ServeOptions
  readonly platform: NodePlatform
  readonly repositories: readonly string[]
}): ServerParts {
  const { options, platform, repositories } = setup
  const { http, metrics } = options
  const limits = {
    ...DEFAULT_PROTOCOL_LIMITS,
    bodyBytes: http.maxBodyBytes,
    bodyChunks: http.maxChunks,
    jsonHeaderBytes: http.maxJsonHeaderBytes,
    tensors: http.maxTensors,
    inflateRatio: http.maxInflateRatio,
  }
  let opened: Promise<SharedMemory> | undefined
  /** The same for every door. */
  const regions = (): Promise<SharedMemory> => {
    opened ??= clientRegions(options.sharedMemory, overload().gate, platform.log)
    return opened
  }
  let known: Doors | undefined
  /** Opened with the server, so that what is wrong with a file is told as a reason not to start. */
  const doors = (): Doors => {
    known ??= openDoors({
      options,
      platform,
      grpc: { restrictions: options.grpc.restrictions, tls: options.grpc.tls ?? undefined },
    })
    return known
  }
  let tracing: OpenTrace | undefined
  let remote: OpenStores | undefined
  let guard: Overload | undefined
  let cache: ResponseCache | undefined
  let devices: OpenBackends | undefined
  /** Opened with the first port: that loading models takes the event loop is no overload. */
  const overload = (): Overload => {
    guard ??= openOverload(options.overload, platform.log)
    return guard
  }
  const loadMetrics = async (server: Server) => {
    const { promMetrics } = await import('../../metrics/prom.ts')
    const { cpuMetrics } = await import('../../metrics/cpu.ts')
    const { onDemandMetrics } = await import('../../metrics/on-demand.ts')
    const { trafficMetrics } = await import('../../metrics/traffic.ts')
    const { intervalMs } = metrics
    const now = (): number => performance.now()
    const cpu = metrics.cpu ? cpuMetrics({ intervalMs, now }) : undefined
    return promMetrics({
      server,
      log: platform.log,
      maxSeries: metrics.maxSeries,
      counterLatencies: metrics.counterLatencies,
      histogramLatencies: metrics.histogramLatencies,
      gpuUuid: (device) => devices?.gpuUuid(device),
      ...(metrics.summaryLatencies ? { summaryQuantiles: metrics.summaryQuantiles } : {}),
      machine: () => [
        ...(cpu?.() ?? []),
        ...doors().families(),
        ...overloadMetrics(overload().gate),
        ...cacheMetrics(cache),
        ...(tracing?.families() ?? []),
        ...trafficMetrics(server.traffic),
        ...onDemandMetrics(server.onDemand),
        ...(devices?.families() ?? []),
      ],
    })
  }
  let loaded: ReturnType<typeof loadMetrics> | undefined
  const metricsOf = (server: Server): ReturnType<typeof loadMetrics> => {
    loaded ??= loadMetrics(server)
    return loaded
  }
  const openHttp = async (server: Server, host?: HostDoor) =>
    startHttpDoor({
      options,
      doors: doors(),
      platform,
      server,
      limits,
      sharedMemory: await regions(),
      overload: overload(),
      tracer: tracing?.tracer,
      ...(host === undefined ? {} : { host }),
    })
  /** Models that SageMaker brings. */
  const archives = new ArchiveStore(options.sagemaker.modelsFolder)
  const archiveStores =
    options.sagemaker.enabled && options.modelControlMode === 'explicit' ? [archives] : []
  return {
    log: platform.log,
    repositories,
    backendNames: BACKEND_NAMES,
    close: async () => {
      known?.close()
      guard?.close()
      await tracing?.close()
      await devices?.close()
      await remote?.close()
    },
    createServer: async () => {
      doors()
      remote = await openRepositories(repositories, options, platform)
      tracing = await openTrace(options.trace, platform)
      cache = await openCache(options.cache, platform)
      devices = await openBackends(options, platform)
      return createServer({
        platform,
        stores: [...remote.stores, ...archiveStores],
        backends: devices.backends,
        finder: devices.finder,
        guard: remote.guard,
        cache,
        options,
      })
    },
    startGrpc: async (server) => {
      const { startGrpcDoor } = await import('./grpc-door.ts')
      return startGrpcDoor({
        options: options.grpc,
        doors: doors(),
        platform,
        server,
        limits,
        sharedMemory: await regions(),
        gates: overload().gate,
        tracer: tracing?.tracer,
      })
    },
    startHttp: (server) => openHttp(server),
    startSageMaker: async (server) => {
      const { roomForModels, sagemakerDoor } = await import('./host-doors.ts')
      const flags = options.sagemaker
      const room = roomForModels(options.overload)
      const guard = remote?.guard ?? ((store) => store)
      return openHttp(
        server,
        sagemakerDoor({ flags, platform, server, store: archives, guard, room }),
      )
    },
    startVertex: async (server) => {
      const { vertexDoor } = await import('./host-doors.ts')
      const text = metrics.enabled ? () => metricsOf(server) : undefined
      const flags = options.vertex
      return openHttp(server, await vertexDoor({ flags, doors: doors(), server, metrics: text }))
    },
    startMetrics: (server) => {
      // prom-client is loaded by the first scrape, unless it has to see every request.
      if (metrics.summaryLatencies) void metricsOf(server)
      return startMetricsServer({
        metrics: () => metricsOf(server),
        address: metrics.address,
        port: metrics.port,
        log: platform.log,
        authorize: doors().authorizeMetrics,
      })
    },
  }
}

async function clientRegions(
  flags: ServeOptions['sharedMemory'],
  gates: Gates,
  log: Log,
): Promise<SharedMemory> {
  if (!flags.enabled) return NO_SHARED_MEMORY
  const host = { ...(await posixSharedMemory(flags)), ...(await gpuRegions(log)) }
  return createSharedMemory({ host, enabled: true, gate: gates.control })
}

/** Nothing where there is no FFI: then no driver can be asked. */
async function gpuRegions(log: Log): Promise<Pick<SharedMemoryHost, 'cuda'>> {
  try {
    const { cudaMemory } = await import('../../shared-memory/cuda.ts')
    return { cuda: cudaMemory(log) }
  } catch {
    return {}
  }
}
