import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { combinedAccess } from '../../../core/access/combined.ts'
import { forwardHeaders } from '../../../core/access/forward-headers.ts'
import { restrictedAccess } from '../../../core/access/restrictions.ts'
import type { Access } from '../../../core/access/types.ts'
import { filBackend } from '../../../core/backend/fil.ts'
import { identityBackend } from '../../../core/backend/identity.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { createServer, type Server } from '../../../core/server.ts'
import { keyFile } from '../../access/key-file.ts'
import { onnxBackend } from '../../backends/onnx.ts'
import { typescriptBackend } from '../../backends/typescript.ts'
import { translate } from '../../backends/typescript-source.ts'
import type { ServeOptions } from '../../cli/options.ts'
import type { ServerParts } from '../../cli/run.ts'
import { controlMethods } from '../../grpc/control/control-methods.ts'
import { reflectionMethods } from '../../grpc/reflection/reflection-methods.ts'
import { startGrpc } from '../../grpc/server.ts'
import { createApp } from '../../http/app.ts'
import { startHttp } from '../../http/node/listener.ts'
import { startHttp2 } from '../../http2/server.ts'
import { promMetrics } from '../../metrics/prom.ts'
import { startMetricsServer } from '../../metrics/server.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { openStores } from '../../stores/open.ts'
import { watchFiles } from '../../tls/watch-files.ts'

export interface DevServer {
  readonly app: ReturnType<typeof createApp>
  readonly parts: ServerParts
}

/** The server's parts with its app made at once, so that other tools can have the app without a port. */
export async function composeDev(setup: {
  readonly options: ServeOptions
  readonly platform: NodePlatform
  readonly repositories: readonly string[]
}): Promise<DevServer> {
  const { options, platform, repositories } = setup
  const { http, grpc, metrics } = options
  const { clock, log } = platform
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: http.maxBodyBytes }
  const workerFile = new URL('../../backends/typescript-worker.ts', import.meta.url)
  // What makes Node run TypeScript here does not do so in worker threads.
  const worker = await translate(fileURLToPath(workerFile), 'worker')
  const { folder, maxBytes } = options.repositoryCache
  const { stores, guard } = await openStores({
    roots: repositories,
    cacheFolder: folder,
    cacheBytes: maxBytes,
    digestFile: options.modelDigestFile,
    home: homedir(),
    env: process.env,
    log,
  })
  const server: Server = await createServer({
    platform,
    stores,
    guard,
    backends: [
      onnxBackend({ clock }),
      identityBackend({ clock }),
      repeatBackend({ clock }),
      filBackend({ clock }),
      typescriptBackend({ clock, worker: { url: new URL(worker.url) } }),
    ],
    options,
  })
  const { inferStream } = http
  const access = accessOf(options, platform)
  const { corsOrigins, allowedHosts, httpForwardPattern, grpcForwardPattern } = options.access
  const forward = forwardHeaders(httpForwardPattern)
  const app = createApp({ server, log, limits, inferStream, access, forward, corsOrigins })
  return {
    app,
    parts: {
      log,
      repositories,
      backendNames: ['fil', 'identity', 'onnxruntime', 'repeat', 'typescript'],
      close: () => worker.close(),
      createServer: () => Promise.resolve(server),
      startGrpc: () => {
        const { address, port, compression, maxMessageBytes } = grpc
        return startGrpc({
          transport: startHttp2,
          server,
          clock,
          log,
          limits,
          address,
          port,
          compression,
          maxMessageBytes,
          access,
          forward: forwardHeaders(grpcForwardPattern),
          methods: controlMethods({ server, logControl: log, sharedMemory: null, log }),
          streamMethods: reflectionMethods(),
        })
      },
      startHttp: () =>
        startHttp({
          server,
          app,
          log,
          limits,
          inferStream,
          access,
          forward,
          cors: corsOrigins.length > 0,
          allowedHosts,
          address: http.address,
          port: http.port,
        }),
      startMetrics: () => {
        const prom = promMetrics({ server, log, maxSeries: metrics.maxSeries })
        const { address, port } = metrics
        return startMetricsServer({ metrics: () => Promise.resolve(prom), address, port, log })
      },
    },
  }
}

/** Who is let in is the same as on the server; only TLS is not for this target. */
function accessOf(options: ServeOptions, { clock, log }: NodePlatform): Access | undefined {
  const { authFile } = options.access
  const keys =
    authFile === '' ? undefined : keyFile({ path: authFile, log, clock, watch: watchFiles })
  return combinedAccess([
    restrictedAccess({ http: options.http.restrictions, grpc: options.grpc.restrictions }),
    keys?.access,
  ])
}
