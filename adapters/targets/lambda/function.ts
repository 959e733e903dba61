import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { combinedAccess } from '../../../core/access/combined.ts'
import { forwardHeaders } from '../../../core/access/forward-headers.ts'
import { restrictedAccess } from '../../../core/access/restrictions.ts'
import { filBackend } from '../../../core/backend/fil.ts'
import { identityBackend } from '../../../core/backend/identity.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import { localCache } from '../../../core/cache/local-cache.ts'
import { DEFAULT_PROTOCOL_LIMITS, type ProtocolLimits } from '../../../core/protocol/limits.ts'
import { createRestHandler, type RestHandler } from '../../../core/protocol/rest/handlers.ts'
import { createServer, type Server } from '../../../core/server.ts'
import { keyFile } from '../../access/key-file.ts'
import { onnxBackend } from '../../backends/onnx.ts'
import { typescriptBackend } from '../../backends/typescript.ts'
import type { ServeOptions } from '../../cli/options.ts'
import { type EmbeddedMetrics, embeddedMetrics } from '../../lambda/embedded-metrics.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { withoutQueueDelay } from '../../stores/no-queue-delay.ts'
import { openStores } from '../../stores/open.ts'
import { watchFiles } from '../../tls/watch-files.ts'

export interface FunctionSetup {
  readonly options: ServeOptions
  readonly platform: NodePlatform
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A server without ports: what the handlers of a function answer with. */
export interface FunctionServer {
  readonly rest: RestHandler
  readonly metrics: EmbeddedMetrics
}

/** Loads the models and makes what answers requests. Rejects where a server with ports would not start. */
export async function openFunction(setup: FunctionSetup): Promise<FunctionServer> {
  const { options, platform, env } = setup
  const { log, clock } = platform
  const server = await loadServer(setup)
  if (options.exitOnError && server.startupErrors.length > 0) {
    throw new Error(`failed to load all models: ${server.startupErrors.join('; ')}`)
  }
  const { authFile, httpForwardPattern } = options.access
  const keys =
    authFile === '' ? undefined : keyFile({ path: authFile, log, clock, watch: watchFiles })
  const rest = createRestHandler({
    server,
    limits: functionLimits(options),
    logControl: log,
    access: combinedAccess([
      restrictedAccess({ http: options.http.restrictions, grpc: [] }),
      keys?.access,
    ]),
    forward: forwardHeaders(httpForwardPattern),
    inferStream: options.http.inferStream,
    onInternalError: (error, match) => log.error(`${match.operation}: ${describe(error)}`),
  })
  const metrics = embeddedMetrics({
    server,
    functionName: env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'nereid',
    now: clock.now,
    epochMs: clock.epochMs,
    write: (text) => process.stdout.write(text),
  })
  return { rest, metrics }
}

export function functionLimits({ http }: ServeOptions): ProtocolLimits {
  return {
    ...DEFAULT_PROTOCOL_LIMITS,
    bodyBytes: http.maxBodyBytes,
    jsonHeaderBytes: http.maxJsonHeaderBytes,
    tensors: http.maxTensors,
    inflateRatio: http.maxInflateRatio,
  }
}

async function loadServer({ options, platform, env }: FunctionSetup): Promise<Server> {
  const { clock, log } = platform
  const named = options.modelRepositories
  const { stores, guard } = await openStores({
    roots: named.length > 0 ? named : [join(env['LAMBDA_TASK_ROOT'] ?? '.', 'models')],
    cacheFolder: options.repositoryCache.folder,
    cacheBytes: options.repositoryCache.maxBytes,
    digestFile: options.modelDigestFile,
    // All that a function may write to.
    home: tmpdir(),
    env,
    log,
  })
  const worker = { url: new URL('./typescript-worker.mjs', import.meta.url) }
  const { cache } = options
  return createServer({
    platform,
    // There is one request at a time.
    stores: stores.map(withoutQueueDelay),
    guard,
    backends: [
      { ...onnxBackend({ clock }), defaultCpuInstances: 1 },
      identityBackend({ clock }),
      repeatBackend({ clock }),
      filBackend({ clock }),
      typescriptBackend({ clock, worker }),
    ],
    cache: cache?.name === 'local' ? localCache({ size: cache.size }) : undefined,
    options,
  })
}

function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
