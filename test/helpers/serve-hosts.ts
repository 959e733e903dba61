import { createApp } from '../../adapters/http/app.ts'
import type { InferDialect } from '../../adapters/http/node/infer-dialect.ts'
import { startHttp } from '../../adapters/http/node/listener.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { ArchiveStore } from '../../adapters/sagemaker/archive-store.ts'
import { archivePlace } from '../../adapters/sagemaker/archive-url.ts'
import { sagemakerDialect } from '../../adapters/sagemaker/dialect.ts'
import { sagemakerFront } from '../../adapters/sagemaker/front.ts'
import { SageMakerModels } from '../../adapters/sagemaker/models.ts'
import type { RoomForModel, SageMakerSettings } from '../../adapters/sagemaker/types.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import { vertexDialect } from '../../adapters/vertex/dialect.ts'
import { vertexFront } from '../../adapters/vertex/front.ts'
import { repeatBackend } from '../../core/backend/repeat.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../core/protocol/limits.ts'
import { jsonReply } from '../../core/protocol/rest/replies.ts'
import { createServer, type Server } from '../../core/server.ts'
import { createFakeBackend, type FakeBackend, type FakeBackendOptions } from './fake-backend.ts'
import { ECHO_CONFIG, type ServeOptions } from './serve.ts'

export interface HostOptions {
  /** Files of each archive below its `model` folder, by hash. */
  readonly archives?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly backend?: FakeBackendOptions
  readonly settings?: Partial<SageMakerSettings>
  readonly doors?: ServeOptions['doors']
  readonly room?: RoomForModel
  /** Inferences go through the app, not the listener's own route. Default false. */
  readonly viaApp?: boolean
}

export interface ServingHosts {
  /** SageMaker's port. */
  readonly sagemaker: string
  /** Vertex AI's: predictions at `/predict`, health at `/health`, metrics are `{}`. */
  readonly vertex: string
  readonly server: Server
  readonly backend: FakeBackend
  readonly models: SageMakerModels
  close(): Promise<void>
}

/** An archive that is one model, `echo`. */
export const ECHO_ARCHIVE: Readonly<Record<string, string>> = {
  'echo/config.pbtxt': ECHO_CONFIG,
  'echo/1/model.fake': '.',
}

/** The fronts of both hosts over the fake backend; the model `echo` is loaded, archives lie below `/opt/ml/models`. */
export async function serveHosts(options: HostOptions = {}): Promise<ServingHosts> {
  const log = createLog({ write: () => {}, epochUs: () => 0, pid: 1 })
  const clock = nodeClock()
  const backend = createFakeBackend(options.backend)
  const store = new ArchiveStore('/opt/ml/models')
  const files = (of: Readonly<Record<string, string>>, below: string) =>
    new Map(
      Object.entries(of).map(([path, text]) => [below + path, new TextEncoder().encode(text)]),
    )
  const server = await createServer({
    platform: { clock, log },
    stores: [memoryStore({ files: files(ECHO_ARCHIVE, '') }), store],
    backends: [backend, repeatBackend({ clock })],
    options: { modelControlMode: 'explicit', loadModels: ['echo'] },
  })
  const { room } = options
  const models = new SageMakerModels({
    server,
    store,
    clock,
    log,
    room,
    archives: {
      open(url) {
        const { hash, folder } = archivePlace(url)
        const archive = files(options.archives?.[hash] ?? {}, 'model/')
        return { store: memoryStore({ files: archive, root: `/opt/ml/models/${hash}` }), folder }
      },
    },
  })
  const limits = DEFAULT_PROTOCOL_LIMITS
  const settings = {
    pingMode: 'ready',
    defaultModel: 'echo',
    inferenceType: 'infer',
    ...options.settings,
  } as const
  const routes = { predictRoute: '/predict', healthRoute: '/health', defaultModel: 'echo' }
  const viaApp = options.viaApp === true
  const route = (dialect: InferDialect) =>
    viaApp ? { inferRoute: false } : { inferRoute: true, dialect }
  const fronts = [
    { front: sagemakerFront(settings, models), ...route(sagemakerDialect(settings, models)) },
    { front: vertexFront(routes, async () => jsonReply('{}')), ...route(vertexDialect(routes)) },
  ]
  const listeners = await Promise.all(
    fronts.map(({ front, ...route }) =>
      startHttp({
        server,
        app: createApp({ server, log, limits, front, ...options.doors }),
        ...route,
        ...options.doors,
        log,
        limits,
        address: '127.0.0.1',
        port: 0,
      }),
    ),
  )
  const [sagemaker = '', vertex = ''] = listeners.map(({ port }) => `http://127.0.0.1:${port}`)
  return {
    sagemaker,
    vertex,
    server,
    backend,
    models,
    async close() {
      await Promise.all(listeners.map((listener) => listener.close(1000)))
      await server.close(1000)
    },
  }
}
