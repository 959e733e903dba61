import { controlMethods } from '../../adapters/grpc/control/control-methods.ts'
import { type GrpcServer, startGrpc } from '../../adapters/grpc/server.ts'
import { createApp } from '../../adapters/http/app.ts'
import { startHttp } from '../../adapters/http/node/listener.ts'
import { startHttp2 } from '../../adapters/http2/server.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import { forwardHeaders } from '../../core/access/forward-headers.ts'
import { identityBackend } from '../../core/backend/identity.ts'
import type { Backend } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS as limits } from '../../core/protocol/limits.ts'
import { createServer, type Server } from '../../core/server.ts'
import type { ServerOptions } from '../../core/server-options.ts'
import { createFakeInstance, type FakeInstance } from '../helpers/fake-backend.ts'
import { RawClient } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'

export interface ServedVersions {
  readonly url: string
  readonly server: Server
  readonly grpc: RawClient
  /** Files of the repository; whoever changes them loads the model again. */
  readonly files: Map<string, Uint8Array>
  readonly logged: readonly string[]
  /** Every execution of the version fails from now on. */
  breakVersion(version: number): void
  /** The version takes requests and answers none until it is released. */
  stallVersion(version: number): void
  releaseVersion(version: number): void
  traffic(model: string, method?: 'GET' | 'POST' | 'DELETE', policy?: unknown): Promise<Answer>
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly json: Record<string, unknown>
}

export const TEXT = new TextEncoder()

/** A model whose version v gives its FP32 input plus `step` × v back. */
export function versioned(extra = '', step = 0): string {
  return `backend: "stepping" max_batch_size: 8 version_policy { all {} }
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
parameters [ { key: "step" value { string_value: "${step}" } } ]
${extra}`
}

export function trafficParameter(policy: unknown): string {
  const text = JSON.stringify(policy).replaceAll('"', '\\"')
  return `parameters [ { key: "nereid_traffic" value { string_value: "${text}" } } ]`
}

function steppingBackend(made: Map<number, FakeInstance>): Backend {
  return {
    name: 'stepping',
    defaultModelFilename: '',
    async load({ version, config }) {
      const step = Number(config.parameters?.['step']?.string_value ?? 0)
      return {
        async instance() {
          const instance = createFakeInstance({
            compute: ({ requests }) => {
              const values = requests.flatMap(({ inputs }) => [
                ...new Float32Array(new Uint8Array(inputs[0]?.data ?? []).buffer),
              ])
              const data = Float32Array.from(values, (value) => value + step * version)
              const shape = [values.length / 2, 2]
              return {
                outputs: [
                  { name: 'OUTPUT0', datatype: 'FP32', shape, data: new Uint8Array(data.buffer) },
                ],
              }
            },
          })
          made.set(version, instance)
          return instance
        },
        async close() {},
      }
    },
  }
}

/** A server with both doors on 127.0.0.1, over models in memory with `versions` each. */
export async function serveVersions(setup: {
  readonly models: Readonly<Record<string, string>>
  readonly versions?: readonly number[]
  readonly options?: ServerOptions
}): Promise<ServedVersions> {
  const logged: string[] = []
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  const clock = nodeClock()
  const files = new Map<string, Uint8Array>()
  const instances = new Map<number, FakeInstance>()
  const instance = (version: number): FakeInstance => instances.get(version) as FakeInstance
  for (const [name, config] of Object.entries(setup.models)) {
    files.set(`${name}/config.pbtxt`, TEXT.encode(config))
    for (const version of setup.versions ?? [1, 2]) {
      files.set(`${name}/${version}/model`, new Uint8Array(1))
    }
  }
  const server = await createServer({
    platform: { clock, log },
    stores: [memoryStore({ files })],
    backends: [steppingBackend(instances), identityBackend({ clock })],
    options: { modelTraffic: true, ...setup.options },
  })
  const forward = forwardHeaders('^x-')
  const common = { server, log, limits, forward, address: '127.0.0.1', port: 0 }
  const http = await startHttp({ ...common, app: createApp({ server, log, limits, forward }) })
  const door: GrpcServer = await startGrpc({
    ...common,
    transport: startHttp2,
    clock,
    methods: controlMethods({ server, logControl: log, sharedMemory: null, log }),
    streamMethods: [],
  })
  const grpc = new RawClient(`127.0.0.1:${door.port}`)
  const url = `http://127.0.0.1:${http.port}`
  return {
    url,
    server,
    grpc,
    files,
    logged,
    breakVersion(version) {
      instance(version).execute = (_batch, _marks, done) =>
        done(new ServerError('UNAVAILABLE', 'broken'))
    },
    stallVersion(version) {
      instance(version).paused = true
    },
    releaseVersion(version) {
      const one = instance(version)
      one.paused = false
      one.finish()
    },
    async traffic(model, method = 'GET', policy) {
      const body = policy === undefined ? '' : JSON.stringify(policy)
      const answer = await send({ url: `${url}/v2/models/${model}/traffic`, method, body })
      return { status: answer.status, json: JSON.parse(answer.body.toString()) }
    },
    async close() {
      grpc.close()
      await http.close(1000)
      await door.close(1000)
      await server.close(1000)
    },
  }
}
