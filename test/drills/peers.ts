import { join } from 'node:path'
import { Client } from './client.ts'
import { restDoor } from './door.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcDoor } from './grpc-door.ts'
import { HOSTILE, type HostilePeer } from './hostile-peers.ts'
import { runLoad, type Target } from './load.ts'
import { writeModel } from './models.ts'
import { processFigures } from './process-figures.ts'
import { randomFrom } from './random.ts'
import { held, settled } from './server-figures.ts'
import { PATIENT, serveAll } from './servers.ts'
import { StreamDoor } from './stream-door.ts'

const SECONDS = { ci: 10, long: 300 }
/** Of every kind, at a time. */
const PEERS = { ci: 2, long: 5 }
/** Before a peer that was cut comes back. */
const BACK_MS = 50
const SAMPLE_MS = 200
const SETTLE_MS = 5_000
/** Over all peers: what they may hold, and what the collector has not taken yet. */
const MAX_GROWTH_MB = 160
const TARGET: Target = { model: 'fast', affine: { scale: 3n, offset: 1n } }

export const peers: Drill = {
  name: 'peers',
  promise: 'slow, broken and hostile peers cost a bounded amount',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    writeModel(root, { name: TARGET.model, affine: TARGET.affine, config: 'dynamic_batching { }' })
    const server = await serveAll([PATIENT, `--model-repository=${root}`])
    const pid = server.process.pid ?? 0
    const random = randomFrom(seed)
    const client = new Client(server.url, 2)
    const connections = [new GrpcConnection(server.grpcPort), new GrpcConnection(server.grpcPort)]
    const [unary, streaming] = connections as [GrpcConnection, GrpcConnection]
    const stream = new StreamDoor(streaming, 1)
    const doors = [restDoor(client), grpcDoor(unary), stream]
    let most = 0
    const load = (more: (asked: number) => boolean) =>
      runLoad({ doors, targets: [TARGET], random, cancelShare: 0, pauseMs: 1, more, note })

    await load((asked) => asked < 1_000)
    const start = processFigures(pid)
    const end = performance.now() + SECONDS[profile] * 1000
    const over = (): boolean => performance.now() >= end
    const battle = {
      restPort: Number(new URL(server.url).port),
      grpcPort: server.grpcPort,
      random,
      over,
    }
    let lives = 0
    async function fight(name: string, peer: HostilePeer): Promise<void> {
      while (!over()) {
        try {
          await peer(battle)
          lives++
        } catch (error) {
          note(`${name}: ${error instanceof Error ? error.message : String(error)}`)
        }
        await new Promise((resolve) => setTimeout(resolve, BACK_MS))
      }
    }
    async function watch(): Promise<void> {
      while (!over()) {
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
        most = Math.max(most, processFigures(pid).rssMb)
        progress(`${lives} hostile connections, ${most.toFixed(0)} MB`)
      }
    }
    const crowd = Object.entries(HOSTILE).flatMap(([name, peer]) =>
      Array.from({ length: PEERS[profile] }, () => fight(name, peer)),
    )
    const [tally] = await Promise.all([load(() => !over()), watch(), ...crowd])

    const fds = await settled(() => Math.max(0, processFigures(pid).fds - start.fds), 0, SETTLE_MS)
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    const status = await stream.close()
    for (const one of connections) one.cut()
    client.close()
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('kinds of hostile peers', Object.keys(HOSTILE).length, 18),
      atLeast('hostile connections', lives, Object.keys(HOSTILE).length * PEERS[profile]),
      atLeast('right answers of healthy clients', tally.right, SECONDS[profile] * 20),
      atMost('wrong answers', tally.wrong, 0),
      atMost('missing answers', tally.missing, 0),
      atMost("status of a healthy client's stream", status, 0),
      atMost('memory more than at the start, at most', most - start.rssMb, MAX_GROWTH_MB, 'MB'),
      atMost('file descriptors more than at the start', fds, 0),
      atMost('held after it', stillHeld, 0),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}
