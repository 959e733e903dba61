import { join } from 'node:path'
import { Client } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { runLoad, type Target } from './load.ts'
import { IDENTITY, writeModel } from './models.ts'
import { randomFrom } from './random.ts'
import { held, metric, metrics } from './server-figures.ts'
import { PATIENT, serveAll } from './servers.ts'
import { grpcShmDoor, restShmDoor, ShmRegion } from './shm-door.ts'
import { StreamDoor } from './stream-door.ts'

const REQUESTS = { ci: 100_000, long: 2_000_000 }
const REST_CONNECTIONS = 64
const GRPC_CONNECTIONS = 16
const CALLS_PER_CONNECTION = 4
const STREAMS = 8
const ASKERS_PER_STREAM = 4
const SHM_ASKERS = 8
/** Of these, some are answered before they are cancelled; a fifth of all requests remains. */
const CANCEL_SHARE = 0.3
/** Time for what was cancelled at the very end to leave the queue. */
const SETTLE_MS = 2_000

const TARGETS: readonly (Target & { readonly config: string })[] = [
  { model: 'identity', affine: IDENTITY, config: 'dynamic_batching { }' },
  {
    model: 'affine',
    affine: { scale: 3n, offset: 7n },
    config:
      'dynamic_batching { max_queue_delay_microseconds: 500 }\ninstance_group [{ count: 2 kind: KIND_CPU }]',
  },
]

export const answers: Drill = {
  name: 'answers',
  promise: 'every request gets exactly one answer, its own, through every door',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    for (const { model, affine, config } of TARGETS) {
      writeModel(root, { name: model, affine, config })
    }
    const server = await serveAll([
      PATIENT,
      `--model-repository=${root}`,
      '--allow-client-shm=true',
    ])
    const client = new Client(server.url, REST_CONNECTIONS)
    const region = new ShmRegion('answers')
    await region.register(client)
    const connections = Array.from(
      { length: GRPC_CONNECTIONS + STREAMS },
      () => new GrpcConnection(server.grpcPort),
    )
    const [unary, streaming] = [connections.slice(STREAMS), connections.slice(0, STREAMS)]
    const streams = streaming.map((one) => new StreamDoor(one, ASKERS_PER_STREAM))
    const doors: readonly Door[] = [
      ...Array.from({ length: REST_CONNECTIONS - SHM_ASKERS }, () => restDoor(client)),
      ...Array.from({ length: SHM_ASKERS }, () => restShmDoor(client, region)),
      ...unary.flatMap((one) => times(CALLS_PER_CONNECTION - 1, grpcDoor(one))),
      ...unary.map((one) => grpcShmDoor(one, region)),
      ...streams.flatMap((one) => times(ASKERS_PER_STREAM, one)),
    ]
    const total = REQUESTS[profile]
    const tally = await runLoad({
      doors,
      targets: TARGETS,
      random: randomFrom(seed),
      cancelShare: CANCEL_SHARE,
      more(asked) {
        if (asked % 1000 === 0) progress(`${asked} of ${total}`)
        return asked < total
      },
      note,
    })
    const statuses = await Promise.all(streams.map((one) => one.close()))
    for (const one of connections) one.cut()
    await region.unregister(client)
    client.close()
    region.remove()
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    const text = await metrics(server.metricsUrl)
    const executions = metric(text, 'nv_inference_exec_count')
    const inferences = metric(text, 'nv_inference_request_success')
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('requests', tally.asked, total),
      atLeast('right answers', tally.right, (total * (1 - CANCEL_SHARE)) / 1.1),
      atLeast('cancelled', tally.cancelled, (total * CANCEL_SHARE) / 2),
      atMost('wrong answers', tally.wrong, 0),
      atMost('missing answers', tally.missing, 0),
      atMost('unaccounted', tally.asked - sum(tally), 0),
      atMost('streams that did not end well', statuses.filter((code) => code !== 0).length, 0),
      atMost('held after it', stillHeld, 0),
      atLeast('requests per execution', inferences / executions, 1.05),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

const times = <T>(count: number, one: T): T[] => new Array<T>(count).fill(one)

function sum(tally: {
  readonly right: number
  readonly wrong: number
  readonly missing: number
  readonly cancelled: number
}): number {
  return tally.right + tally.wrong + tally.missing + tally.cancelled
}
