import { afterEach, describe, expect, it } from 'vitest'
import { randomFrom } from '../drills/random.ts'
import { type ServedVersions, serveVersions, versioned } from '../traffic/served-versions.ts'
import { type Way, waysOf } from '../traffic/ways.ts'

/** Models of different sizes that take three times the budget together. */
const SIZES = [50, 40, 30, 30, 30, 20, 20, 20, 20, 10, 10, 10, 10]
const BUDGET = 100
const REQUESTS_PER_WAY = 60
const CONCURRENT = 6

let serving: ServedVersions
let ways: readonly Way[] = []

afterEach(async () => {
  for (const way of ways) way.close()
  await serving.close()
})

const sized = (bytes: number, extra = ''): string =>
  versioned(
    `parameters [ { key: "nereid_memory_bytes" value { string_value: "${bytes}" } } ] ${extra}`,
  )

const ensemble = (steps: readonly string[]): string => {
  const tensor = (i: number): string =>
    i === 0 ? 'INPUT0' : i === steps.length ? 'OUTPUT0' : `between${i}`
  const parts = steps.map(
    (step, i) => `{ model_name: "${step}" model_version: -1
    input_map { key: "INPUT0" value: "${tensor(i)}" }
    output_map { key: "OUTPUT0" value: "${tensor(i + 1)}" } }`,
  )
  return `platform: "ensemble" max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling { step [ ${parts.join(', ')} ] }`
}

const SEQUENCES =
  'sequence_batching { oldest { max_candidate_sequences: 64 } max_sequence_idle_microseconds: 60000000 }'

describe('a storm over three times the budget', () => {
  it('of single requests, sequences and ensembles through every door fails none of them', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${seed}`)
    const draw = randomFrom(seed)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T
    const models: Record<string, string> = {}
    for (const [i, bytes] of SIZES.entries()) models[`m${i}`] = sized(bytes)
    models['s0'] = sized(20, SEQUENCES)
    models['s1'] = sized(20, SEQUENCES)
    models['e0'] = ensemble(['m2', 'm5'])
    models['e1'] = ensemble(['m3', 'm9', 'm2'])
    models['e2'] = ensemble(['e0', 'm10'])
    const plain = Object.keys(models).filter((name) => !name.startsWith('s'))
    serving = await serveVersions({
      models,
      versions: [1],
      options: { loadOnDemand: { budget: BUDGET, pinned: ['m12'] } },
    })
    ways = waysOf(serving)
    const figures = () => serving.server.onDemand?.figures ?? []
    let most = 0
    let over = false
    const watch = (): void => {
      const used = figures().reduce((sum, { loaded, bytes }) => sum + (loaded ? bytes : 0), 0)
      if (used > most) most = used
      if (!over) setImmediate(watch)
    }
    watch()
    let id = 1
    const work = async (way: Way): Promise<void> => {
      for (let i = 0; i < REQUESTS_PER_WAY / CONCURRENT; i++) {
        if (draw() < 0.8) {
          await way.infer(pick(plain))
          continue
        }
        // Answers of one stream keep their order, so that a sequence in it can wait for the load of another model behind it.
        const model = pick(['s0', 's1'])
        const sequence = { id: id++, start: true }
        const steps = 1 + Math.floor(draw() * 4)
        for (let step = 1; step <= steps; step++) {
          await way.infer(model, {
            sequence: { ...sequence, start: step === 1, end: step === steps },
          })
        }
      }
    }
    await Promise.all(
      ways.flatMap((way) =>
        // One at a time on the stream, for the same reason.
        Array.from({ length: way.name === 'gRPC stream' ? 1 : CONCURRENT }, () => work(way)),
      ),
    )
    over = true
    expect(most).toBeLessThanOrEqual(BUDGET)
    expect(figures().find(({ model }) => model === 'm12')).toMatchObject({
      loaded: true,
      evictions: 0,
    })
    expect(figures().reduce((sum, one) => sum + one.evictions, 0)).toBeGreaterThan(SIZES.length)
  })
})
