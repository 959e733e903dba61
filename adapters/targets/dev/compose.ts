import { identityBackend } from '../../../core/backend/identity.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { createServer, type Server } from '../../../core/server.ts'
import { onnxBackend } from '../../backends/onnx.ts'
import type { ServeOptions } from '../../cli/options.ts'
import type { ServerParts } from '../../cli/run.ts'
import { createApp } from '../../http/app.ts'
import { startHttp } from '../../http/node/listener.ts'
import { promMetrics } from '../../metrics/prom.ts'
import { startMetricsServer } from '../../metrics/server.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { diskStore } from '../../stores/disk.ts'

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
  const { http, metrics } = options
  const { clock, log } = platform
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: http.maxBodyBytes }
  const server: Server = await createServer({
    platform,
    stores: repositories.map((root) => diskStore({ root })),
    backends: [onnxBackend({ clock }), identityBackend({ clock })],
    options,
  })
  const app = createApp({ server, log, limits })
  return {
    app,
    parts: {
      log,
      repositories,
      backendNames: ['identity', 'onnxruntime'],
      createServer: () => Promise.resolve(server),
      startHttp: () =>
        startHttp({ server, app, log, limits, address: http.address, port: http.port }),
      startMetrics: () => {
        const prom = promMetrics({ server, log, maxSeries: metrics.maxSeries })
        const { address, port } = metrics
        return startMetricsServer({ metrics: () => Promise.resolve(prom), address, port, log })
      },
    },
  }
}
