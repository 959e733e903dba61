import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typescriptBackend } from '../../../adapters/backends/typescript.ts'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { localCache } from '../../../core/cache/local-cache.ts'
import { createLog } from '../../../core/log.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { createServer, type Server } from '../../../core/server.ts'
import type { ServerOptions } from '../../../core/server-options.ts'
import { TENSORS, TIMESTAMPS } from '../../../core/trace/level.ts'
import { createTracer } from '../../../core/trace/tracer.ts'
import type { FinishedTrace } from '../../../core/trace/types.ts'
import { buildWorker } from '../../adapters/backends/typescript-rig.ts'
import { randomFrom } from '../../drills/random.ts'
import { mixedBackend, UNLUCKY } from './mixed-backend.ts'
import { type Asking, MixedClient, type Outcome } from './mixed-client.ts'
import { CALLER, MIXED_MODELS, type Responses } from './mixed-models.ts'

const CLIENTS = 24
const REQUESTS = 60
/** Values that requests have: few, so that equal requests meet in the cache. */
const VALUES = [1, 2, 3, 5, 60, 70, UNLUCKY]
/** What is unloaded now and then, and what is made of it. */
const LEAVING = ['alone', 'many']
const PLAIN = Object.keys(MIXED_MODELS).filter((name) => MIXED_MODELS[name]?.expected !== undefined)
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

let folder = ''
let built: ReturnType<typeof buildWorker>

beforeAll(() => {
  built = buildWorker()
  folder = mkdtempSync(join(tmpdir(), 'nereid-together-'))
  mkdirSync(join(folder, 'ts/1'), { recursive: true })
  writeFileSync(join(folder, 'ts/1/model.mjs'), CALLER)
})
afterAll(() => {
  built.remove()
  rmSync(folder, { recursive: true, force: true })
})

function repository(): { readonly store: ModelStore; readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>()
  for (const [name, { config, versions = [1] }] of Object.entries(MIXED_MODELS)) {
    files.set(`${name}/config.pbtxt`, encode(config))
    for (const version of versions) files.set(`${name}/${version}/model.mjs`, encode(name))
  }
  const memory = memoryStore({ files })
  return { files, store: { ...memory, localPath: async (path) => join(folder, path) } }
}

interface Rig {
  readonly server: Server
  readonly files: Map<string, Uint8Array>
  readonly client: MixedClient
  readonly traces: readonly FinishedTrace[]
  readonly logged: readonly string[]
}

async function createRig(draw: () => number, options: ServerOptions): Promise<Rig> {
  const { store, files } = repository()
  const logged: string[] = []
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  const clock = nodeClock()
  const server = await createServer({
    platform: { clock, log },
    stores: [store],
    backends: [mixedBackend(draw), typescriptBackend({ clock, worker: built.worker })],
    // Small, so that entries have to leave.
    cache: localCache({ size: 64 * 1024 }),
    options: { modelTraffic: true, rateLimit: { resources: [] }, ...options },
  })
  expect(server.startupErrors).toEqual([])
  const traces: FinishedTrace[] = []
  const tracer = createTracer({
    clock,
    start: { level: TIMESTAMPS | TENSORS, rate: 3, count: -1, logFrequency: 0 },
    facts: { mode: 'triton', file: 'trace.json', options: [] },
    collector: () => ({ collect: (trace) => void traces.push(trace), retire() {} }),
  })
  return { server, files, client: new MixedClient(server, clock, tracer), traces, logged }
}

interface Random {
  (): number
  below(limit: number): number
  pick<T>(from: readonly T[]): T
}

function randomOf(seed: number): Random {
  const draw = randomFrom(seed)
  const below = (limit: number): number => Math.floor(draw() * limit)
  return Object.assign(draw, {
    below,
    pick: <T>(from: readonly T[]): T => from[below(from.length)] as T,
  })
}

function asking(random: Random, model: string): Asking {
  const scalar = MIXED_MODELS[model]?.scalar === true
  const length = scalar ? 1 : 1 + random.below(4)
  const who = random() < 0.5 ? new Map([['who', `u${random.below(4)}`]]) : null
  return {
    model,
    scalar,
    version: model === 'dyn' && random() < 0.3 ? random.pick(['1', '2']) : '',
    xs: Array.from({ length }, () =>
      random() < 0.02 ? UNLUCKY : random.pick(VALUES.slice(0, -1)),
    ),
    options: {
      id: random() < 0.5 ? '' : `r${random.below(1000)}`,
      parameters: who,
      owner: random.pick(['', 'a', 'b']),
    },
    leaveAfter: random() < 0.15 ? 1 + random.below(8) : 0,
    readsLate: random() < 0.5,
  }
}

/** Neither outputs nor the answers of an ensemble to one request have an order. */
function textOf(responses: Responses): string {
  return responses
    .map((one) => JSON.stringify(Object.entries(one).sort()))
    .sort()
    .join(' ')
}

/** What is wrong with an outcome; '' = nothing. */
function problemOf(asked: Asking, outcome: Outcome): string {
  const { model, version, xs, leaveAfter } = asked
  const { error, responses } = outcome
  const what = `${model}(${xs.join()})${version} ${leaveAfter > 0 ? 'left' : ''}`
  const unlucky = xs.includes(UNLUCKY)
  if (error !== null) {
    if (leaveAfter > 0 && error.code === 'CANCELLED') return ''
    if (LEAVING.includes(model) && error.message.includes('Request for unknown model')) return ''
    if (unlucky && error.message.includes('thirteen')) return ''
    return `${what}: ${error.code} ${error.message}`
  }
  if (unlucky) return `${what}: no error but ${JSON.stringify(responses)}`
  const expected = (MIXED_MODELS[model]?.expected?.(xs, version) ?? []).map(textOf)
  const given = textOf(responses)
  if (expected.includes(given)) return ''
  return `${what}: ${given} instead of ${expected.join(' or ')}`
}

/** One sequence from its start to its end, or to where its client leaves. */
async function converse(rig: Rig, random: Random, id: bigint): Promise<string> {
  const model = random.pick(['seq', 'talk'])
  const steps = 1 + random.below(5)
  let sum = 0
  for (let step = 1; step <= steps; step++) {
    const one = asking(random, model)
    const x = random.below(100)
    sum += x
    const asked: Asking = {
      ...one,
      xs: [x],
      leaveAfter: step === steps ? one.leaveAfter : 0,
      options: {
        ...one.options,
        owner: '',
        sequenceId: id,
        sequenceStart: step === 1,
        sequenceEnd: step === steps,
      },
    }
    const { error, responses } = await rig.client.ask(asked)
    if (error !== null && asked.leaveAfter > 0 && error.code === 'CANCELLED') return ''
    if (error !== null) return `${model} ${id} step ${step}: ${error.code} ${error.message}`
    const wanted = JSON.stringify([{ Y: [model === 'seq' ? sum : sum + 10] }])
    const given = JSON.stringify(responses)
    if (given !== wanted) return `${model} ${id} step ${step}: ${given} instead of ${wanted}`
  }
  return ''
}

async function storm(rig: Rig, random: Random): Promise<readonly string[]> {
  const problems: string[] = []
  let lastId = 0n
  const work = async (): Promise<void> => {
    for (let i = 0; i < REQUESTS; i++) {
      if (random() < 0.1) {
        const problem = await converse(rig, random, ++lastId)
        if (problem !== '') problems.push(problem)
        continue
      }
      const asked = asking(random, random.pick(PLAIN))
      const problem = problemOf(asked, await rig.client.ask(asked))
      if (problem !== '') problems.push(problem)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, work))
  return problems
}

/** Each model still works, and nothing of the storm is left anywhere. */
async function expectRest(rig: Rig, random: Random): Promise<void> {
  const { server, client, traces } = rig
  for (const model of PLAIN) {
    const asked: Asking = { ...asking(random, model), xs: [4], leaveAfter: 0 }
    expect(problemOf(asked, await client.ask(asked))).toBe('')
  }
  // Shadows run behind their requests.
  await expect.poll(() => server.inflight).toBe(0)
  for (const model of server.models()) {
    expect([model.name, model.pending]).toEqual([model.name, 0])
    expect([model.name, (model as { busy?: boolean }).busy]).toEqual([model.name, false])
  }
  expect(server.onDemand?.waiting ?? 0).toBe(0)
  expect(client.settledTwice).toBe(0)
  // One that came to no model is none.
  expect(client.sampled - traces.length).toBeLessThanOrEqual(client.sampled / 4)
  for (const { models } of traces) {
    for (const { model, startNs, endNs } of models)
      expect([model, endNs >= startNs]).toEqual([model, true])
  }
  await server.close(5000)
  expect(
    rig.logged.filter((line) => /timeout expired|was not taken|execute threw/.test(line)),
  ).toEqual([])
}

describe('everything together', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)

  it(`gives each request its own answer once while models are loaded again (seed ${seed})`, async () => {
    console.log(`seed ${seed}`)
    const random = randomOf(seed)
    const rig = await createRig(random, { modelControlMode: 'explicit', loadModels: ['*'] })
    const { server, files } = rig
    let over = false
    const change = async (): Promise<void> => {
      for (let round = 1; !over; round++) {
        const model = random.pick(['dyn', 'two', 'slow', 'rep', 'alone', 'cond', 'nest', 'ts'])
        // What is not another one is not loaded again.
        const text = `${MIXED_MODELS[model]?.config}\nparameters { key: "round" value { string_value: "${round}" } }`
        files.set(`${model}/config.pbtxt`, encode(text))
        await server.load(model, {})
        if (random() < 0.2) {
          await server.unload('alone', false)
          await server.load('alone', {})
        }
        if (random() < 0.5)
          server.traffic?.set('dyn', {
            weights: new Map([
              [1, 1 + random.below(9)],
              [2, 1],
            ]),
            stickyBy: '',
            shadow: { version: 1 + random.below(2), fraction: 0.5 },
          })
        else server.traffic?.reset('dyn')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const changing = change()
    const problems = await storm(rig, random)
    over = true
    await changing
    expect(problems).toEqual([])
    await expectRest(rig, random)
  }, 60_000)

  it(`gives each request its own answer once while models come and go (seed ${seed})`, async () => {
    const random = randomOf(seed)
    const rig = await createRig(random, { loadOnDemand: { budget: 55, pinned: ['seq'] } })
    expect(await storm(rig, random)).toEqual([])
    await expectRest(rig, random)
  }, 120_000)
})
