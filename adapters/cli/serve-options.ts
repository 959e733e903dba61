import type { Restriction } from '../../core/access/restrictions.ts'
import { FlagError, type FlagValues } from './flag-types.ts'
import { backendSetting, parseRestriction } from './flag-values.ts'
import { metricsConfig } from './metrics-config.ts'
import type { HttpFlags, MetricsFlags, ServeOptions } from './options.ts'

/** Puts the values of single flags together and checks what depends on several of them. */
export function serveOptions(values: FlagValues): {
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
  if (values.has('response-cache-byte-size') && values.has('cache-config')) {
    throw new FlagError(
      'Error: Incompatible flags --response-cache-byte-size and --cache-config both provided. Please provide one or the other.',
    )
  }
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

  const options: ServeOptions = {
    id: read.string('id'),
    exitTimeoutSecs: read.number('exit-timeout-secs'),
    log: {
      log_file: read.string('log-file'),
      log_info: read.boolean('log-info'),
      log_warning: read.boolean('log-warning'),
      log_error: read.boolean('log-error'),
      log_verbose_level: read.number('log-verbose'),
      log_format: read.string('log-format') === 'ISO8601' ? 'ISO8601' : 'default',
    },
    modelRepositories: [
      ...new Set([...read.list('model-store'), ...read.list('model-repository')]),
    ],
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
    onnxRuntime: read.string('onnx-runtime') === 'node' ? 'node' : 'ffi',
    http: httpFlags(read),
    metrics: metricsFlags(read, config),
    sharedMemory,
  }
  checkPorts(options)
  return { options, warnings }
}

interface Reader {
  string(name: string): string
  number(name: string): number
  boolean(name: string): boolean
  list(name: string): readonly string[]
}

function reader(values: FlagValues): Reader {
  return {
    string: (name) => String(values.get(name) ?? ''),
    number: (name) => Number(values.get(name) ?? 0),
    boolean: (name) => values.get(name) === true,
    list: (name) => {
      const value = values.get(name)
      return Array.isArray(value) ? value : []
    },
  }
}

function httpFlags(read: Reader): HttpFlags {
  return {
    enabled: read.boolean('allow-http'),
    address: read.string('http-address'),
    port: read.number('http-port'),
    reusePort: read.boolean('reuse-http-port'),
    restrictions: restrictions(read.list('http-restricted-api')),
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

function metricsFlags(read: Reader, config: ReturnType<typeof metricsConfig>): MetricsFlags {
  const address = read.string('metrics-address')
  return {
    enabled: read.boolean('allow-metrics'),
    cpu: read.boolean('allow-cpu-metrics'),
    address: address === '' ? read.string('http-address') : address,
    port: read.number('metrics-port'),
    intervalMs: read.number('metrics-interval-ms'),
    maxSeries: read.number('metrics-max-series'),
    counterLatencies: config.counterLatencies,
    summaryLatencies: config.summaryLatencies,
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

function restrictions(values: readonly string[]): readonly Restriction[] {
  const seen = new Set<string>()
  return values.map((text) => {
    const restriction = parseRestriction('http-restricted-api', 'api', text)
    for (const api of restriction.apis) {
      if (seen.has(api)) {
        throw new FlagError(
          `restricted api '${api}' can not be specified in multiple config groups`,
        )
      }
      seen.add(api)
    }
    return restriction
  })
}

/** Two services on one port: Triton names both before it starts. */
function checkPorts({ http, metrics }: ServeOptions): void {
  if (http.enabled && metrics.enabled && http.port !== 0 && http.port === metrics.port) {
    const any = (address: string): boolean => address === '0.0.0.0' || address === '::'
    if (http.address === metrics.address || any(http.address) || any(metrics.address)) {
      throw new FlagError(
        `The server cannot listen to HTTP requests and metrics requests at the same port ${http.port}`,
      )
    }
  }
}
