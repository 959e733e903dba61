import { join } from 'node:path'
import { type Serving, serve } from '../targets/child.ts'
import { Client, NoAnswer, type Reply } from './client.ts'
import { restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type Figure } from './drill.ts'
import { failures } from './failures.ts'
import { inference, question, verify } from './inference.ts'
import { runLoad, type Target } from './load.ts'
import { memorySampler, SAMPLED } from './memory.ts'
import { affineOnnx, IDENTITY, writeModel } from './models.ts'
import { processFigures } from './process-figures.ts'
import { randomFrom } from './random.ts'
import { held, settled } from './server-figures.ts'
import { PATIENT } from './servers.ts'
import { type Point, slopeAfter } from './slope.ts'

const SECONDS = { ci: 50, long: 4 * 3600 }
const CONNECTIONS = 12
/** Between two requests of a connection: the promise is about time and numbers, not about speed. */
const PAUSE_MS = 2
const CANCEL_SHARE = 0.2
const LOAD_EVERY_MS = 2_000
/** Model changes and failures before the first sample; as with reloads, the heap finds its size in 300. */
const WARM_UP_ROUNDS = 120
const SAMPLE_MS = 1_000
/** In `ci`, over some 150,000 requests: what the allocator moves. A leak of 50 bytes per request is 5 MB. */
const MAX_MB_PER_100K = 2
/** Over a night nothing may be left of that. */
const MAX_MB_PER_HOUR = 0.5
const SETTLE_MS = 10_000
const CHURN = 'churn'
const SERVED: Target = { model: 'affine', affine: { scale: 5n, offset: -3n } }
const TARGETS: readonly Target[] = [{ model: 'identity', affine: IDENTITY }, SERVED]

interface Count {
  loads: number
  failed: number
  unexpected: number
}

export const soak: Drill = {
  name: 'soak',
  promise: 'memory is flat',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    for (const { model, affine } of TARGETS) {
      writeModel(root, { name: model, affine, config: 'dynamic_batching { }' })
    }
    writeModel(root, { name: CHURN })
    const loaded = TARGETS.map(({ model }) => `--load-model=${model}`)
    const server = await serve(
      [PATIENT, `--model-repository=${root}`, '--model-control-mode=explicit', ...loaded],
      SAMPLED,
    )
    const memoryNow = memorySampler(server)
    const count: Count = { loads: 0, failed: 0, unexpected: 0 }
    const random = randomFrom(seed)

    // A thousand samples at most: the slope looks at every pair.
    const sampleMs = Math.max(SAMPLE_MS, SECONDS[profile])

    /** The load of the promise for `ms`, with samples of the memory. */
    async function mix(ms: number, rounds: number, sample: (asked: number) => Promise<void>) {
      const client = new Client(server.url, CONNECTIONS)
      const admin = new Client(server.url, 1)
      const end = performance.now() + ms
      let asked = 0
      let over = false
      const load = runLoad({
        doors: Array.from({ length: CONNECTIONS }, () => restDoor(client)),
        targets: TARGETS,
        random,
        cancelShare: CANCEL_SHARE,
        pauseMs: PAUSE_MS,
        more(count) {
          asked = count
          return !over
        },
        note,
      })
      const changes = async (): Promise<void> => {
        for (let n = 0; n < rounds || performance.now() < end; n++) {
          await changeAndFail(admin, n, count, note)
          if (n >= rounds) await pause(Math.min(LOAD_EVERY_MS, end - performance.now()))
        }
      }
      const samples = async (): Promise<void> => {
        while (performance.now() < end) {
          await pause(sampleMs)
          await sample(asked)
        }
      }
      await Promise.all([changes(), samples()])
      over = true
      const tally = await load
      client.close()
      admin.close()
      return tally
    }

    progress('warming up')
    await mix(0, WARM_UP_ROUNDS, async () => {})
    const start = await atRest(server, undefined)
    const resident: Point[] = []
    const heap: Point[] = []
    const tally = await mix(SECONDS[profile] * 1000, 0, async (asked) => {
      const { residentMb, heapMb } = await memoryNow()
      resident.push({ x: asked, y: residentMb })
      heap.push({ x: asked, y: heapMb })
      progress(`${resident.length} of ${SECONDS[profile]} samples, ${asked} requests`)
    })
    const end = await atRest(server, start)
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    const perHour = (tally.asked / SECONDS[profile]) * 3600
    const limit = profile === 'ci' ? MAX_MB_PER_100K : (MAX_MB_PER_HOUR * 100_000) / perHour
    const memory = (name: string, points: readonly Point[]): Figure => {
      const slope = slopeAfter(Math.floor(points.length / 4), points) * 100_000
      return atMost(`${name} per 100,000 requests`, slope, limit, 'MB')
    }
    return [
      atLeast('right answers', tally.right, tally.asked / 2),
      atMost('wrong or missing answers', tally.wrong + tally.missing, 0),
      atLeast('loads and unloads', count.loads, (SECONDS[profile] * 1000) / LOAD_EVERY_MS / 2),
      atLeast('requests that failed as they should', count.failed, 1_000),
      atMost('that ended otherwise', count.unexpected, 0),
      memory('resident memory', resident),
      memory('heap', heap),
      atMost('file descriptors more than at the start', end.fds - start.fds, 0),
      atMost('threads more than at the start', end.threads - start.threads, 0),
      atMost('held after it', stillHeld, 0),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

/** Loads a model, inline or from the disk, asks it, unloads it, and sends one request of every kind that fails. */
async function changeAndFail(
  admin: Client,
  n: number,
  count: Count,
  note: (text: string) => void,
): Promise<void> {
  const expect = (what: string, reply: Reply | null, status: number): void => {
    if (reply?.status === status) return
    count.unexpected++
    note(`${what}: ${reply?.status} ${reply?.body.toString('utf8', 0, 200)}`)
  }
  const path = `/v2/repository/models/${CHURN}`
  const affine = n % 2 === 0 ? IDENTITY : { scale: 1n, offset: BigInt(n) }
  const bytes = Buffer.from(affineOnnx(affine)).toString('base64')
  const config = JSON.stringify({ backend: 'onnxruntime', max_batch_size: 8 })
  const inline = JSON.stringify({ parameters: { config, 'file:1/model.onnx': bytes } })
  const body = n % 2 === 0 ? '' : inline
  expect('load', await admin.ask({ path: `${path}/load`, body }), 200)
  const asked = inference(CHURN, n, { rows: 2, binary: n % 4 < 2 })
  const reply = await admin.ask(question(asked))
  const problem = reply === null ? 'cancelled' : verify(asked, reply, affine)
  if (problem !== '') expect(problem, reply, 0)
  expect('unload', await admin.ask({ path: `${path}/unload`, body: '' }), 200)
  count.loads++
  for (const { name, question: bad, status } of failures(SERVED.model)) {
    try {
      expect(name, await admin.ask(bad), status)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      expect(`${name}: ${error.message}`, null, status)
    }
    count.failed++
  }
}

/** The process without clients; where `before` is given, as soon as it is as small as then. */
async function atRest(
  server: Serving,
  before: { readonly fds: number; readonly threads: number } | undefined,
): Promise<{ readonly fds: number; readonly threads: number }> {
  const pid = server.process.pid ?? 0
  if (before === undefined) await pause(SAMPLE_MS)
  const more = (): number => {
    const { fds, threads } = processFigures(pid)
    return Math.max(0, fds - (before?.fds ?? fds), threads - (before?.threads ?? threads))
  }
  await settled(more, 0, SETTLE_MS)
  return processFigures(pid)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
