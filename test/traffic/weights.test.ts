import { afterEach, describe, expect, it } from 'vitest'
import { TRAFFIC_EXTENSION } from '../../core/server.ts'
import {
  type ServedVersions,
  serveVersions,
  TEXT,
  trafficParameter,
  versioned,
} from './served-versions.ts'
import { type Way, waysOf } from './ways.ts'

/** How far an observed share may be from its weight. */
const TOLERANCE = 0.02
const WEIGHT_CHANGES = 100

let serving: ServedVersions
let ways: readonly Way[] = []

async function serve(setup: Parameters<typeof serveVersions>[0]): Promise<ServedVersions> {
  serving = await serveVersions(setup)
  ways = waysOf(serving)
  return serving
}

afterEach(async () => {
  for (const way of ways) way.close()
  await serving.close()
})

/** How often each version answered. */
async function count(way: Way, requests: number, model = 'm'): Promise<Record<number, number>> {
  const counts: Record<number, number> = {}
  for (let i = 0; i < requests; i++) {
    const version = await way.infer(model)
    counts[version] = (counts[version] ?? 0) + 1
  }
  return counts
}

describe('weights', () => {
  it('of the config share requests that name no version, whichever way they come', async () => {
    await serve({ models: { m: versioned(trafficParameter({ weights: { 1: 75, 2: 25 } })) } })
    for (const way of ways) {
      expect(await count(way, 20), way.name).toEqual({ 1: 15, 2: 5 })
      expect(await way.infer('m', { version: '1' }), way.name).toBe(1)
    }
    expect((await serving.traffic('m')).json).toEqual({
      model_name: 'm',
      source: 'config',
      weights: { 1: 75, 2: 25 },
      versions: [
        { version: '1', weight: 75, ready: true },
        { version: '2', weight: 25, ready: true },
      ],
    })
  })

  it('of the API hold at once, and the config comes back when they are deleted', async () => {
    await serve({
      models: { m: versioned(trafficParameter({ weights: { 1: 1 } })), plain: versioned() },
    })
    for (const way of ways) expect(await way.infer('m')).toBe(1)
    expect((await serving.traffic('m', 'POST', { weights: { 1: 0, 2: 1 } })).json).toMatchObject({
      source: 'api',
    })
    for (const way of ways) expect(await way.infer('m'), way.name).toBe(2)
    expect((await serving.traffic('m', 'DELETE')).json).toMatchObject({ source: 'config' })
    for (const way of ways) expect(await way.infer('m'), way.name).toBe(1)

    for (const way of ways) expect(await way.infer('plain'), way.name).toBe(2)
    await serving.traffic('plain', 'POST', { weights: { 1: 1 } })
    for (const way of ways) expect(await way.infer('plain'), way.name).toBe(1)
    expect((await serving.traffic('plain', 'DELETE')).json).toMatchObject({ source: 'none' })
    for (const way of ways) expect(await way.infer('plain'), way.name).toBe(2)
  })

  it('for versions that do not serve are refused in words', async () => {
    await serve({ models: { m: versioned() } })
    const refused = await serving.traffic('m', 'POST', { weights: { 1: 1, 7: 1 } })
    expect(refused.status).toBe(400)
    expect(refused.json['error']).toBe(
      "traffic policy names version 7 of model 'm', which does not serve; these do: 1, 2",
    )
    expect(await serving.traffic('m', 'POST', { shadow: { version: 9 } })).toMatchObject({
      status: 400,
    })
    expect(await serving.traffic('nope', 'POST', {})).toMatchObject({ status: 404 })
    expect((await serving.traffic('m')).json).toMatchObject({ source: 'none' })
  })

  it('that cannot be read keep the model from loading, and say why', async () => {
    await serve({ models: { m: versioned(trafficParameter({ weights: { 1: -1 } })) } })
    expect(serving.server.startupErrors.join()).toContain(
      'traffic policy weight of version 1 must be a number from 0 to 1000000, got -1',
    )
  })

  it('change a hundred times under load: nothing fails, and shares are those of the weights', async () => {
    await serve({ models: { m: versioned() } })
    for (const way of ways) await way.infer('m')
    let due = 0
    let total = 0
    let canary = 0
    for (let change = 0; change < WEIGHT_CHANGES; change++) {
      const weight = (change * 37) % 101
      await serving.traffic('m', 'POST', { weights: { 1: 100 - weight, 2: weight } })
      const answers = await Promise.all(ways.flatMap((way) => [way.infer('m'), way.infer('m')]))
      total += answers.length
      canary += answers.filter((version) => version === 2).length
      due += (answers.length * weight) / 100
    }
    expect(Math.abs(canary / total - due / total)).toBeLessThan(TOLERANCE)
  })

  it('hold while clients keep sending and nobody waits for the change', async () => {
    await serve({ models: { m: versioned() } })
    await serving.traffic('m', 'POST', { weights: { 1: 50, 2: 50 } })
    let over = false
    const counted = ways.map(async (way) => {
      const counts = [0, 0, 0]
      while (!over) {
        const version = await way.infer('m')
        counts[version] = (counts[version] ?? 0) + 1
      }
      return counts
    })
    for (let change = 0; change < WEIGHT_CHANGES; change++) {
      const away = (change % 10) * 5
      const weights =
        change % 2 === 0 ? { 1: 50 + away, 2: 50 - away } : { 1: 50 - away, 2: 50 + away }
      expect((await serving.traffic('m', 'POST', { weights })).status).toBe(200)
    }
    over = true
    const all = await Promise.all(counted)
    expect(all.flat().reduce((sum, one) => sum + one, 0)).toBeGreaterThan(WEIGHT_CHANGES)
  })

  it('of a version that is unloaded go to the others, and nothing fails', async () => {
    await serve({
      models: { m: versioned(trafficParameter({ weights: { 1: 50, 2: 50 } })) },
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    let over = false
    const sent = ways.map(async (way) => {
      const seen = new Set<number>()
      while (!over) seen.add(await way.infer('m'))
      return seen
    })
    for (let i = 0; i < 10; i++) {
      serving.files.delete('m/2/model')
      await serving.server.load('m', {})
      for (const way of ways) expect(await way.infer('m'), way.name).toBe(1)
      serving.files.set('m/2/model', new Uint8Array(1))
      await serving.server.load('m', {})
    }
    over = true
    const seen = new Set((await Promise.all(sent)).flatMap((one) => [...one]))
    expect([...seen].sort()).toEqual([1, 2])
    expect(serving.logged.join('\n')).toContain(
      "model 'm': version 2 of its traffic policy does not serve and gets nothing",
    )
  })

  it('leave a new version alone that has none', async () => {
    await serve({
      models: { m: versioned(trafficParameter({ weights: { 1: 1 } })) },
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    serving.files.set('m/3/model', TEXT.encode('new'))
    await serving.server.load('m', {})
    for (const way of ways) expect(await way.infer('m'), way.name).toBe(1)
    for (const way of ways) expect(await way.infer('m', { version: '3' }), way.name).toBe(3)
  })
})

describe('what sticks', () => {
  it('is the header that the policy names, in any case, whichever way it comes', async () => {
    await serve({
      models: {
        m: versioned(trafficParameter({ weights: { 1: 50, 2: 50 }, sticky_by: 'x-user' })),
      },
    })
    const seen = new Set<number>()
    for (let user = 0; user < 12; user++) {
      const headers = { 'X-User': `user-${user}` }
      const versions = new Set<number>()
      for (const way of ways) {
        for (let i = 0; i < 3; i++) versions.add(await way.infer('m', { headers }))
      }
      expect([...versions], `user-${user}`).toHaveLength(1)
      for (const version of versions) seen.add(version)
    }
    expect([...seen].sort()).toEqual([1, 2])
  })

  it('is a sequence to its version until it ends, also when the weights change meanwhile', async () => {
    const sequences = 'sequence_batching { oldest { max_candidate_sequences: 64 } }'
    await serve({ models: { m: versioned(sequences) } })
    await serving.traffic('m', 'POST', { weights: { 1: 50, 2: 50 } })
    let id = 1
    for (const way of ways) {
      const open = [id++, id++, id++, id++]
      const versions: number[] = []
      for (const one of open) {
        versions.push(await way.infer('m', { sequence: { id: one, start: true } }))
      }
      expect(new Set(versions).size, way.name).toBe(2)
      await serving.traffic('m', 'POST', { weights: { 2: 1 } })
      for (let step = 0; step < 3; step++) {
        for (const [i, one] of open.entries()) {
          const sequence = { id: one, end: step === 2 }
          expect(await way.infer('m', { sequence }), way.name).toBe(versions[i])
        }
      }
      expect(await way.infer('m', { sequence: { id: open[0] as number, start: true } })).toBe(2)
      await serving.traffic('m', 'POST', { weights: { 1: 50, 2: 50 } })
    }
  })
})

describe('without --model-traffic', () => {
  it('there is no such thing, whatever the config says', async () => {
    await serve({
      models: { m: versioned(trafficParameter({ weights: { 1: 1 } })) },
      options: { modelTraffic: false },
    })
    for (const way of ways) expect(await way.infer('m'), way.name).toBe(2)
    expect(await serving.traffic('m')).toEqual({ status: 404, json: { error: 'Not Found' } })
    expect(serving.server.extensions).not.toContain(TRAFFIC_EXTENSION)
  })
})
