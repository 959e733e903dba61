import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from '../targets/child.ts'
import { Client, NoAnswer } from './client.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { Generations, generationModel, generationOf } from './generations.ts'
import { inference, question } from './inference.ts'
import { memorySampler, SAMPLED } from './memory.ts'
import { affineOnnx, writeModel } from './models.ts'
import { PATIENT } from './servers.ts'
import { type Point, slopeAfter } from './slope.ts'

const RELOADS = { ci: 700, long: 5_000 }
const CLIENTS = 8
const MODEL = 'generation'
/** Every fifth load is one that has to fail, each time in another way. */
const BROKEN_EVERY = 5
/** Answers between two loads, so that every generation serves. */
const ANSWERS_BETWEEN = 40
/** Loads until V8's heap and the allocator's arenas have found their size: measured, 300 to 600. */
const WARM_UP = 400
const SAMPLE_EVERY = 5
/** A load that keeps its predecessor's session costs 0.1 MB; what is left of the warm-up stays around 0.02. */
const MAX_MB_PER_LOAD = 0.05
/** A load that keeps its predecessor's config and queues costs well above 10 KB. */
const MAX_HEAP_MB_PER_LOAD = 0.005

interface Load {
  readonly generation: number
  readonly body: string
  readonly fails: boolean
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const config = (extra: string): string =>
  `{"name":"${MODEL}","backend":"onnxruntime","max_batch_size":8,` +
  `"input":[{"name":"X","data_type":"TYPE_INT64","dims":[4]}],` +
  `"output":[{"name":"Y","data_type":"TYPE_INT64","dims":[4]}]${extra}}`
const inline = (parameters: object): string => JSON.stringify({ parameters })

export const reload: Drill = {
  name: 'reload',
  promise: 'model changes are atomic',
  async run({ profile, folder, progress, note }) {
    const root = join(folder, 'models')
    const file = join(root, MODEL, '1/model.onnx')
    writeModel(root, { name: MODEL, affine: generationModel(1) })
    const explicit = ['--model-control-mode=explicit', `--load-model=${MODEL}`]
    const server = await serve([PATIENT, `--model-repository=${root}`, ...explicit], SAMPLED)
    const sample = memorySampler(server)
    const client = new Client(server.url, CLIENTS)
    const admin = new Client(server.url, 1)
    const generations = new Generations(CLIENTS)
    const count = { answers: 0, failed: 0, wrong: 0, unexpected: 0, broken: 0 }
    let stopped = false

    async function ask(who: number): Promise<void> {
      for (let serial = who; !stopped; serial += CLIENTS) {
        const asked = inference(MODEL, serial, { rows: 1 + (serial % 3), binary: serial % 2 === 0 })
        const least = generations.begin(who)
        try {
          const reply = await client.ask(question(asked))
          if (reply === null || reply.status !== 200) {
            count.failed++
            note(`${reply?.status} ${reply?.body}`)
            continue
          }
          const generation = generationOf(asked, reply)
          const problem =
            typeof generation === 'string' ? generation : generations.end(who, least, generation)
          if (problem !== '') {
            count.wrong++
            note(problem)
          }
          count.answers++
        } catch (error) {
          if (!(error instanceof NoAnswer)) throw error
          count.failed++
          note(error.message)
        }
      }
    }
    /** The n-th load, of those that must work every second one from the disk and every second one inline. */
    function prepare(n: number): Load {
      const generation = n + 1
      const bytes = affineOnnx(generationModel(generation))
      if (n % BROKEN_EVERY === 0) {
        const kind = (n / BROKEN_EVERY) % 4
        const damaged = bytes.subarray(0, bytes.length >> 1)
        if (kind === 0) writeFileSync(file, damaged)
        const bodies = [
          '',
          inline({ config: '{"max_batch_size":' }),
          inline({ config: config(',"no_such_field":1'), 'file:1/model.onnx': base64(bytes) }),
          inline({ config: config(''), 'file:1/model.onnx': base64(damaged) }),
        ]
        return { generation, body: bodies[kind] ?? '', fails: true }
      }
      if (n % 2 === 0) {
        writeFileSync(file, bytes)
        return { generation, body: '', fails: false }
      }
      const body = inline({ config: config(''), 'file:1/model.onnx': base64(bytes) })
      return { generation, body, fails: false }
    }

    const clients = Array.from({ length: CLIENTS }, (_, who) => ask(who))
    const resident: Point[] = []
    const heap: Point[] = []
    const total = RELOADS[profile]
    for (let n = 1; n <= total; n++) {
      progress(`load ${n} of ${total}, ${count.answers} answers`)
      const enough = count.answers + ANSWERS_BETWEEN
      while (count.answers < enough && count.failed === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const { generation, body, fails } = prepare(n)
      if (!fails) generations.loading(generation)
      const path = `/v2/repository/models/${MODEL}/load`
      const reply = await admin.ask({ path, body })
      if (fails) count.broken++
      else generations.loaded(generation)
      if ((reply?.status !== 200) !== fails) {
        count.unexpected++
        note(`load ${n}: ${reply?.status} ${reply?.body}`)
      }
      if (n > WARM_UP && n % SAMPLE_EVERY === 0) {
        const { residentMb, heapMb } = await sample()
        resident.push({ x: n, y: residentMb })
        heap.push({ x: n, y: heapMb })
      }
    }
    stopped = true
    await Promise.all(clients)
    client.close()
    admin.close()
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('loads', total, RELOADS[profile]),
      atLeast('of them broken', count.broken, total / BROKEN_EVERY),
      atMost('loads with another end than expected', count.unexpected, 0),
      atLeast('answers', count.answers, total * ANSWERS_BETWEEN),
      atMost('failed requests', count.failed, 0),
      atMost('wrong or outdated answers', count.wrong, 0),
      atLeast('generations seen in answers', generations.seen, total * 0.7),
      atMost('resident memory per load', slopeAfter(0, resident), MAX_MB_PER_LOAD, 'MB'),
      atMost('heap per load', slopeAfter(0, heap), MAX_HEAP_MB_PER_LOAD, 'MB'),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}
