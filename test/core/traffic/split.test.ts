import { describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import { ModelStats } from '../../../core/stats.ts'
import { parsePolicy } from '../../../core/traffic/policy.ts'
import { ShadowTraffic } from '../../../core/traffic/shadow-traffic.ts'
import { Split } from '../../../core/traffic/split.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

function model(version: number, config: ModelConfig = {}): ServedModel {
  return {
    name: 'm',
    version,
    config,
    inputs: [],
    outputs: [],
    stats: new ModelStats(),
    pending: 0,
    labels: () => undefined,
    check() {},
    checksContent: false,
    submit() {},
    ready: true,
  }
}

function split(serving: readonly ServedModel[], policy: unknown): Split {
  const clock = createFakeClock()
  const one = new Split({ model: 'm', clock, shadow: new ShadowTraffic(clock), serving })
  one.follow(parsePolicy(JSON.stringify(policy)), 'api')
  return one
}

const DECOUPLED = { model_transaction_policy: { decoupled: true } }

describe('the traffic of a model', () => {
  it('goes to the highest version where no version with a weight serves', () => {
    const one = split([model(2), model(3)], { weights: { 7: 1 } })
    expect(one.route({}).version).toBe(3)
    expect(one.front.version).toBe(3)
  })

  it('goes only to versions that answer in the way the client was told of', () => {
    const one = split([model(1, DECOUPLED), model(2)], { weights: { 1: 99, 2: 1 } })
    for (let i = 0; i < 10; i++) expect(one.route({}).version).toBe(2)
  })

  it('has no shadow where answers come one by one', () => {
    const serving = [model(1, DECOUPLED), model(2, DECOUPLED)] as const
    const one = split(serving, { weights: { 1: 1 }, shadow: { version: 2 } })
    for (let i = 0; i < 3; i++) expect(one.route({})).toBe(serving[0])
  })

  it('goes on where the version of a sequence is gone, and where it never began', () => {
    const sequences = { sequence_batching: { direct: {} } }
    const one = split([model(1, sequences), model(2, sequences)], { weights: { 1: 1 } })
    expect(one.route({ sequenceId: 5n, sequenceStart: true }).version).toBe(1)
    expect(one.route({ sequenceId: 5n }).version).toBe(1)
    one.serve([model(2, sequences)])
    expect(one.route({ sequenceId: 5n }).version).toBe(2)
    expect(one.route({ sequenceId: 6n }).version).toBe(2)
  })

  it('keeps what a version is owed when weights change', () => {
    const one = split([model(1), model(2)], { weights: { 1: 50, 2: 50 } })
    const drawn = [one.route({}).version]
    one.follow(parsePolicy('{"weights":{"1":49,"2":51}}'), 'api')
    drawn.push(one.route({}).version)
    expect(drawn.sort()).toEqual([1, 2])
  })
})
