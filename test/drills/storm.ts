import { join } from 'node:path'
import { Client } from './client.ts'
import { type Door, restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type Figure } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { runLoad } from './load.ts'
import { memorySampler, SAMPLED } from './memory.ts'
import { processFigures } from './process-figures.ts'
import { randomFrom } from './random.ts'
import { held, metric, metrics, settled } from './server-figures.ts'
import { type DrillServer, PATIENT, serveAll } from './servers.ts'
import { grpcShmDoor, restShmDoor, ShmRegion } from './shm-door.ts'
import { type Point, slopeAfter } from './slope.ts'
import { CALLS } from './storm-calls.ts'
import { STAGES, writeStages } from './storm-models.ts'
import { type StormContext, VICTIMS } from './storm-victims.ts'
import { StreamDoor } from './stream-door.ts'

const SECONDS = { ci: 15, long: 60 }
const VICTIMS_AT_A_TIME = 48
const REST_CONNECTIONS = 64
const GRPC_CONNECTIONS = 8
/** Those whose requests nobody breaks off. */
const HEALTHY_PAUSE_MS = 4
const SETTLE_MS = 5_000
const SAMPLE_MS = 500
/** Until the heap has found its size; measured: 8,000. */
const WARM_UP = { victims: 8_000, ms: 60_000 }
const AFTERWARDS = 200
/** A request that leaves its record and its tensors behind is 1 KB at least: 10 MB. */
const MAX_HEAP_MB_PER_10K = { ci: 2, long: 1 }
/** With what the allocator moves in so short a time. */
const MAX_RESIDENT_MB_PER_10K = { ci: 12, long: 3 }

export const storm: Drill = {
  name: 'storm',
  promise: 'who leaves frees what it held, at every stage',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    writeStages(root)
    const args = [PATIENT, `--model-repository=${root}`, '--allow-client-shm=true']
    const server = await serveAll(args, SAMPLED)
    const memoryNow = memorySampler(server)
    const random = randomFrom(seed)
    const client = new Client(server.url, REST_CONNECTIONS)
    const connections = Array.from(
      { length: GRPC_CONNECTIONS },
      () => new GrpcConnection(server.grpcPort),
    )
    const region = new ShmRegion('storm')
    await region.register(client)
    await memoryNow()
    const start = processFigures(server.process.pid ?? 0)
    const count = { serial: 0, wrong: 0, victims: 0 }
    const asked: Record<string, number> = {}
    const right: Record<string, number> = {}
    const context: StormContext = {
      server,
      client,
      connections,
      region,
      random,
      serial: () => count.serial++,
      asked: (model) => {
        asked[model] = (asked[model] ?? 0) + 1
      },
      right: (model) => {
        right[model] = (right[model] ?? 0) + 1
      },
      wrong(problem) {
        count.wrong++
        note(problem)
      },
    }
    const victims = Object.entries({ ...VICTIMS, ...CALLS })
    let end = performance.now() + WARM_UP.ms
    async function strike(): Promise<void> {
      while (performance.now() < end) {
        const [name, victim] = victims[count.victims++ % victims.length] as (typeof victims)[number]
        try {
          await victim(context)
        } catch (error) {
          context.wrong(`${name}: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
    const resident: Point[] = []
    const heap: Point[] = []
    async function sample(): Promise<void> {
      while (count.victims < WARM_UP.victims && performance.now() < end) {
        progress(`${count.victims} of ${WARM_UP.victims} to warm up`)
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
      }
      end = performance.now() + SECONDS[profile] * 1000
      while (performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
        const { residentMb, heapMb } = await memoryNow()
        resident.push({ x: count.victims, y: residentMb })
        heap.push({ x: count.victims, y: heapMb })
        progress(`${count.victims} requests broken off, ${heapMb.toFixed(1)} MB`)
      }
    }
    const steady = new GrpcConnection(server.grpcPort)
    const healthy = runLoad({
      doors: [restDoor(client), grpcDoor(steady)],
      targets: targets('fast', 'window'),
      random,
      cancelShare: 0,
      pauseMs: HEALTHY_PAUSE_MS,
      more: () => performance.now() < end,
      note,
    })
    await Promise.all([sample(), ...Array.from({ length: VICTIMS_AT_A_TIME }, strike)])
    const tally = await healthy

    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    const text = await metrics(server.metricsUrl)
    for (const one of [...connections, steady]) one.cut()
    const accounts = Object.keys(STAGES).map((model) => {
      const of = (name: string): number => metric(text, name, model)
      const answers = of('nv_inference_request_success')
      const left = of('nv_inference_request_failure')
      const least = right[model] ?? 0
      const most = (asked[model] ?? 0) + (model === 'fast' || model === 'window' ? tally.asked : 0)
      return answers >= least && answers + left <= most
    })
    const cancelled = metric(text, 'nv_inference_request_failure', 'CANCELED')
    const broken =
      metric(text, 'nv_inference_request_failure', 'BACKEND') +
      metric(text, 'nv_inference_request_failure', 'OTHER')
    const after = await afterwards(server, client, region, random, note)
    const regions = await client.text('/v2/systemsharedmemory/status')
    client.close()
    region.remove()
    const fds = await settled(
      () => Math.max(0, processFigures(server.process.pid ?? 0).fds - start.fds),
      0,
      SETTLE_MS,
    )
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    const memory = (name: string, points: readonly Point[], limit: number): Figure =>
      atMost(`${name} per 10,000 of them`, slopeAfter(0, points) * 10_000, limit, 'MB')
    return [
      atLeast('clients that left', count.victims, SECONDS[profile] * 100),
      atLeast('requests counted as cancelled', cancelled, count.victims / 10),
      atMost('answers that no cancellation excuses', count.wrong, 0),
      atLeast('right answers of those who stayed', tally.right, SECONDS[profile] * 10),
      atMost('wrong or missing ones', tally.wrong + tally.missing, 0),
      atMost('held after it', stillHeld, 0),
      atMost('models whose counts do not add up', accounts.filter((kept) => !kept).length, 0),
      atMost('failures of backends', broken, 0),
      memory('heap', heap, MAX_HEAP_MB_PER_10K[profile]),
      memory('resident memory', resident, MAX_RESIDENT_MB_PER_10K[profile]),
      atLeast('right answers afterwards', after, AFTERWARDS),
      atMost('regions left', regions === '[]' ? 0 : 1, 0),
      atMost('file descriptors more than at the start', fds, 0),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

const targets = (...models: readonly string[]) =>
  Object.entries(STAGES)
    .filter(([model]) => models.length === 0 || models.includes(model))
    .map(([model, affine]) => ({ model, affine }))

/** Right answers of all stages through all doors; unregisters `region`. */
async function afterwards(
  server: DrillServer,
  client: Client,
  region: ShmRegion,
  random: () => number,
  note: (text: string) => void,
): Promise<number> {
  const connection = new GrpcConnection(server.grpcPort)
  const stream = new StreamDoor(connection, 1)
  const doors: readonly Door[] = [
    restDoor(client),
    grpcDoor(connection),
    stream,
    restShmDoor(client, region),
    grpcShmDoor(connection, region),
  ]
  const { right } = await runLoad({
    doors,
    targets: targets(),
    random,
    cancelShare: 0,
    more: (count) => count < AFTERWARDS,
    note,
  })
  await stream.close()
  connection.cut()
  await region.unregister(client)
  return right
}
