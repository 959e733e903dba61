import { accessFlags } from './access-options.ts'
import { cacheFlags } from './cache-options.ts'
import { checkSafePorts, sagemakerFlags, vertexFlags } from './cloud-options.ts'
import { type FlagReader, reader } from './flag-reader.ts'
import { FlagError, type FlagValues } from './flag-types.ts'
import { backendSetting, gpuLoadLimit, parseRestrictions, rateResource } from './flag-values.ts'
import { grpcFlags } from './grpc-options.ts'
import { metricsConfig } from './metrics-config.ts'
import type { HttpFlags, MetricsFlags, OverloadFlags, ServeOptions } from './options.ts'
import { traceFlags } from './trace-options.ts'

/** Puts the values of single flags together and checks what depends on several of them. */
export function serveOptions(
  values: FlagValues,
  env: Readonly<Record<string, string | undefined>> = {},
): {
  options: ServeOptions
  warnings: readonly string[]
} {
  const read = reader(values)
  const warnings: string[] = []
  const modelControlMode = read.string('model-control-mode') as ServeOptions['modelControlMode']
  const loadModels = read.list('load-model')
  if (loadModels.length > 0 && modelControlMode !== 'explicit') {
    throw new FlagError(
      "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.",
    )
  }
  if (loadModels.includes('*') && loadModels.length > 1) {
    throw new FlagError("Error: '--load-model=*' must be the only '--load-model'.")
  }
  const { cache, warnings: cacheWarnings } = cacheFlags(read, values)
  warnings.push(...cacheWarnings)
  const disabled = read.boolean('disable-auto-complete-config')
  const strict = read.boolean('strict-model-config')
  if (disabled && values.has('strict-model-config') && !strict) {
    warnings.push(
      "Overriding deprecated '--strict-model-config' from False to True in favor of '--disable-auto-complete-config'!",
    )
  }
  const config = metricsConfig(read.list('metrics-config'))
  warnings.push(...config.warnings)

  const sharedMemory = {
    enabled: read.boolean('allow-client-shm'),
    trustClients: read.boolean('shm-trust-clients'),
  }
  if (sharedMemory.enabled && sharedMemory.trustClients) {
    warnings.push(
      '--shm-trust-clients: shared memory is mapped, a client that shrinks its memory ends this server',
    )
  }

  const trace = traceFlags(read, values, env)
  warnings.push(...trace.warnings)

  const options: ServeOptions = {
    id: read.string('id'),
    exitTimeoutSecs: read.number('exit-timeout-secs'),
    drainDelaySecs: read.number('drain-delay-secs'),
    log: {
      log_file: read.string('log-file'),
      log_info: read.boolean('log-info'),
      log_warning: read.boolean('log-warning'),
      log_error: read.boolean('log-error'),
      log_verbose_level: read.number('log-verbose'),
      log_format: read.string('log-format') === 'ISO8601' ? 'ISO8601' : 'default',
    },
    modelRepositories: repositories(read, env),
    repositoryCache: {
      folder: read.string('repository-cache-directory'),
      maxBytes: read.number('repository-cache-size'),
    },
    modelDigestFile: read.string('model-digest-file'),
    exitOnError: read.boolean('exit-on-error'),
    disableAutoComplete: disabled || strict,
    strictReadiness: read.boolean('strict-readiness'),
    modelControlMode,
    repositoryPollSecs: read.number('repository-poll-secs'),
    loadModels,
    modelConfigName: read.string('model-config-name'),
    modelLoadThreadCount: read.number('model-load-thread-count'),
    modelLoadRetryCount: read.number('model-load-retry-count'),
    backendConfig: backendConfig(read.list('backend-config')),
    backendDirectory: read.string('backend-directory'),
    onnxRuntime: read.string('onnx-runtime') === 'node' ? 'node' : 'ffi',
    gpuLoadLimits: new Map(read.list('model-load-gpu-limit').map(gpuLoadLimit)),
    rateLimit:
      read.string('rate-limit') === 'execution_count'
        ? { resources: read.list('rate-limit-resource').map(rateResource) }
        : undefined,
    loadOnDemand: onDemandFlags(read, modelControlMode),
    modelTraffic: read.boolean('model-traffic'),
    cache,
    http: httpFlags(read),
    grpc: grpcFlags(read),
    metrics: metricsFlags(read, config),
    sharedMemory,
    access: accessFlags(read),
    overload: overloadFlags(read, values),
    trace: trace.flags,
    sagemaker: sagemakerFlags(read, env),
    vertex: vertexFlags(read, env),
  }
  checkPorts(options)
  if (options.sagemaker.enabled) checkSafePorts(read.string('sagemaker-safe-port-range'), options)
  return { options, warnings }
}

/** Vertex AI names the repository where nobody else does. */
function repositories(
  read: FlagReader,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const named = [...new Set([...read.list('model-store'), ...read.list('model-repository')])]
  const storage = env['AIP_STORAGE_URI'] ?? ''
  return named.length === 0 && storage !== '' && read.boolean('allow-vertex-ai') ? [storage] : named
}

function overloadFlags(read: FlagReader, values: FlagValues): OverloadFlags {
  return {
    maxInflight: read.number('max-inflight'),
    memoryBudget: values.has('memory-budget') ? read.number('memory-budget') : undefined,
    lagMs: read.number('overload-lag-ms'),
    closePercent: read.number('overload-close-percent'),
    refusePercent: read.number('overload-refuse-percent'),
  }
}

function onDemandFlags(
  read: FlagReader,
  mode: ServeOptions['modelControlMode'],
): ServeOptions['loadOnDemand'] {
  const budget = read.number('model-memory-budget')
  const pinned = [...new Set(read.list('pin-model'))]
  if (!read.boolean('load-on-demand')) {
    if (budget === 0 && pinned.length === 0) return undefined
    throw new FlagError(
      "Error: Use of '--model-memory-budget' and '--pin-model' requires '--load-on-demand' as well.",
    )
  }
  if (mode === 'none') return { budget, pinned }
  throw new FlagError("Error: '--load-on-demand' requires '--model-control-mode=none'.")
}

function httpFlags(read: FlagReader): HttpFlags {
  return {
    enabled: read.boolean('allow-http'),
    address: read.string('http-address'),
    port: read.number('http-port'),
    reusePort: read.boolean('reuse-http-port'),
    restrictions: parseRestrictions('http-restricted-api', 'api', read.list('http-restricted-api')),
    inferStream: read.boolean('http-infer-stream'),
    maxBodyBytes: read.number('http-max-input-size'),
    maxChunks: read.number('http-max-chunks'),
    maxJsonHeaderBytes: read.number('http-max-json-header'),
    maxInflateRatio: read.number('max-inflate-ratio'),
    maxTensors: read.number('max-tensors'),
    maxHeaderBytes: read.number('http-max-header-size'),
    maxConnections: read.number('max-connections'),
    headerTimeoutMs: read.number('http-header-timeout') * 1000,
    bodyTimeoutMs: read.number('http-body-timeout') * 1000,
    keepAliveMs: read.number('http-keepalive-timeout') * 1000,
  }
}

function metricsFlags(read: FlagReader, config: ReturnType<typeof metricsConfig>): MetricsFlags {
  const address = read.string('metrics-address')
  return {
    enabled: read.boolean('allow-metrics'),
    cpu: read.boolean('allow-cpu-metrics'),
    gpu: read.boolean('allow-gpu-metrics'),
    address: address === '' ? read.string('http-address') : address,
    port: read.number('metrics-port'),
    intervalMs: read.number('metrics-interval-ms'),
    maxSeries: read.number('metrics-max-series'),
    counterLatencies: config.counterLatencies,
    summaryLatencies: config.summaryLatencies,
    histogramLatencies: config.histogramLatencies,
    summaryQuantiles: config.summaryQuantiles,
  }
}

function backendConfig(
  values: readonly string[],
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byBackend = new Map<string, Map<string, string>>()
  for (const text of values) {
    const { name, key, value } = backendSetting(text)
    const settings = byBackend.get(name) ?? new Map<string, string>()
    byBackend.set(name, settings.set(key, value))
  }
  return byBackend
}

/** Two services on one port: Triton names both before it starts. */
function checkPorts({ http, grpc, metrics, sagemaker, vertex }: ServeOptions): void {
  const services = [
    { name: 'HTTP', ...http },
    { name: 'GRPC', ...grpc },
    { name: 'metrics', ...metrics },
    { name: 'SageMaker', ...sagemaker },
    { name: 'Vertex AI', ...vertex },
  ].filter(({ enabled, port }) => enabled && port !== 0)
  const any = (address: string): boolean => address === '0.0.0.0' || address === '::'
  for (const [i, one] of services.entries()) {
    for (const other of services.slice(i + 1)) {
      if (one.port !== other.port) continue
      if (one.address !== other.address && !any(one.address) && !any(other.address)) continue
      throw new FlagError(
        `The server cannot listen to ${one.name} requests and ${other.name} requests at the same port ${one.port}`,
      )
    }
  }
}
