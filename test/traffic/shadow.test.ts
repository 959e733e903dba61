import { afterEach, describe, expect, it } from 'vitest'
import { trafficMetrics } from '../../adapters/metrics/traffic.ts'
import { MAX_SHADOWS } from '../../core/traffic/shadow-traffic.ts'
import type { ShadowOutcome } from '../../core/traffic/types.ts'
import { until } from '../helpers/until.ts'
import {
  type ServedVersions,
  serveVersions,
  trafficParameter,
  versioned,
} from './served-versions.ts'
import { type Way, waysOf } from './ways.ts'

let serving: ServedVersions
let ways: readonly Way[] = []

async function serve(setup: Parameters<typeof serveVersions>[0]): Promise<void> {
  serving = await serveVersions(setup)
  ways = waysOf(serving)
}

afterEach(async () => {
  for (const way of ways) way.close()
  await serving.close()
})

function outcomes(): Readonly<Record<ShadowOutcome, number>> | undefined {
  return serving.server.traffic?.get('m').shadows[0]?.outcomes
}

describe('a shadow', () => {
  it('gets its share of the requests, and how far its answers are off is told', async () => {
    const policy = { weights: { 1: 1 }, shadow: { version: 2, fraction: 0.5 } }
    await serve({ models: { m: versioned(trafficParameter(policy), 0.25) } })
    for (const way of ways) {
      for (let i = 0; i < 4; i++) expect(await way.infer('m'), way.name).toBe(1)
    }
    await until(() => outcomes()?.differ === 10)
    expect((await serving.traffic('m')).json['shadows']).toEqual([
      {
        version: '2',
        match: 0,
        differ: 10,
        failed: 0,
        dropped: 0,
        largest_difference: { OUTPUT0: 0.25 },
      },
    ])
    const families = trafficMetrics(serving.server.traffic)
    const values = (name: string) =>
      families
        .find(({ family }) => family.name === name)
        ?.samples.map(({ labels, value, suffix }) => ({ ...labels, value, suffix }))
    expect(values('nereid_shadow_requests')).toContainEqual({
      model: 'm',
      version: '2',
      outcome: 'differ',
      value: 10,
      suffix: undefined,
    })
    const histogram = values('nereid_shadow_difference')
    expect(histogram).toContainEqual({
      model: 'm',
      version: '2',
      le: '0.1',
      value: 0,
      suffix: '_bucket',
    })
    expect(histogram).toContainEqual({
      model: 'm',
      version: '2',
      le: '1',
      value: 10,
      suffix: '_bucket',
    })
    expect(histogram).toContainEqual({ model: 'm', version: '2', value: 2.5, suffix: '_sum' })
  })

  it('that answers alike is a match, though the memory of the request was used again meanwhile', async () => {
    await serve({ models: { m: versioned(), slow: versioned() } })
    await serving.traffic('m', 'POST', { weights: { 1: 1 }, shadow: { version: 2 } })
    for (let i = 0; i < 20; i++) for (const way of ways) await way.infer('m')
    await until(() => outcomes()?.match === 100)
  })

  it('that fails fails nobody else', async () => {
    await serve({
      models: { m: versioned() },
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    await serving.traffic('m', 'POST', { weights: { 1: 1 }, shadow: { version: 2 } })
    serving.breakVersion(2)
    for (const way of ways) expect(await way.infer('m'), way.name).toBe(1)
    await until(() => outcomes()?.failed === ways.length)
  })

  it('that does not come after is dropped, and counted', async () => {
    await serve({ models: { m: versioned() } })
    await serving.traffic('m', 'POST', { weights: { 1: 1 }, shadow: { version: 2 } })
    serving.stallVersion(2)
    const [way] = ways as [Way]
    for (let i = 0; i < MAX_SHADOWS + 5; i++) expect(await way.infer('m')).toBe(1)
    expect(outcomes()).toMatchObject({ dropped: 5, match: 0 })
    serving.releaseVersion(2)
    await until(() => outcomes()?.match === MAX_SHADOWS)
  })

  it('is no shadow of itself', async () => {
    await serve({ models: { m: versioned() } })
    await serving.traffic('m', 'POST', { weights: { 2: 1 }, shadow: { version: 2 } })
    for (const way of ways) expect(await way.infer('m')).toBe(2)
    expect(outcomes()).toBeUndefined()
  })
})
