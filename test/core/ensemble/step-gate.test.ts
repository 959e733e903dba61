import { describe, expect, it } from 'vitest'
import {
  createStepGate,
  DEFAULT_MAX_INFLIGHT_REQUESTS,
  type GateWaiter,
  MAX_STEP_WAIT_NS,
} from '../../../core/ensemble/step-gate.ts'
import { ServerError } from '../../../core/errors.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import {
  answerPlus,
  CHAIN,
  createRig,
  DIAMOND,
  ensembleConfig,
  int32,
  join,
  type ManualModel,
  one,
  send as sendTo,
} from './rig.ts'

const limited = (max_inflight_requests: number) => {
  const config = ensembleConfig(['X'], ['Y'], CHAIN)
  return {
    ...config,
    ensemble_scheduling: { ...config.ensemble_scheduling, max_inflight_requests },
  }
}

describe('max_inflight_requests', () => {
  it('bounds what a step has in flight over all requests; the rest waits in order', async () => {
    const [a, b] = [one('a'), one('b', 0)]
    const { send, ensemble } = await createRig(limited(2), [a, b])
    const sent = [1, 2, 3, 4].map((value) => send([int32('X', [value, value])]))
    expect(a.open).toHaveLength(2)
    expect(ensemble.pending).toBe(2)
    answerPlus(a.open[1]!)
    expect(sent.map(({ finals }) => finals)).toEqual([0, 1, 0, 0])
    expect(a.requests).toHaveLength(3)
    answerPlus(a.open[0]!)
    answerPlus(a.open[0]!)
    answerPlus(a.open[0]!)
    expect(sent.map(({ values }) => values['Y'])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ])
    expect(ensemble.pending).toBe(0)
  })

  it(`is ${DEFAULT_MAX_INFLIGHT_REQUESTS} where the config does not say`, async () => {
    const a = one('a')
    const { send } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b', 0)])
    for (let i = 0; i < DEFAULT_MAX_INFLIGHT_REQUESTS + 1; i++) send([int32('X', [i, i])])
    expect(a.open).toHaveLength(DEFAULT_MAX_INFLIGHT_REQUESTS)
  })

  it('ends the wait of a request that is cancelled', async () => {
    const a = one('a')
    const { send, ensemble, clock } = await createRig(limited(1), [a, one('b', 0)])
    send([int32('X', [1, 1])])
    const waiting = send([int32('X', [2, 2])])
    waiting.request.cancel()
    expect(waiting.error).toBe("CANCELLED in ensemble 'ens', request was cancelled")
    expect(ensemble.pending).toBe(0)
    expect(clock.timers).toBe(0)
    answerPlus(a.open[0]!)
    expect(a.requests).toHaveLength(1)
  })

  it('ends the wait of a request that another step has failed', async () => {
    const config = ensembleConfig(['X'], ['Y'], DIAMOND)
    const models = [one('a', 0), one('b'), one('c'), join()]
    const [, b, c] = models as [ManualModel, ManualModel, ManualModel]
    const { send, ensemble } = await createRig(
      {
        ...config,
        ensemble_scheduling: { ...config.ensemble_scheduling, max_inflight_requests: 1 },
      },
      models,
    )
    send([int32('X', [1, 1])])
    answerPlus(b.open[0]!)
    const second = send([int32('X', [2, 2])])
    expect(ensemble.pending).toBe(1)
    b.open[0]?.respond(new ServerError('INTERNAL', 'broken'))
    expect(second.error).toBe("INTERNAL in ensemble 'ens', broken")
    answerPlus(c.open[0]!)
    expect(c.requests).toHaveLength(1)
  })

  it('answers UNAVAILABLE to a request that waited too long', async () => {
    const a = one('a')
    const { send, clock } = await createRig(limited(1), [a, one('b', 0)])
    send([int32('X', [1, 1])])
    const waiting = send([int32('X', [2, 2])])
    clock.advance(MAX_STEP_WAIT_NS - 1)
    expect(waiting.finals).toBe(0)
    clock.advance(1)
    expect(waiting.error).toBe(
      "UNAVAILABLE in ensemble 'ens', step did not start within 300 seconds, 1 requests of it are in flight, the limit is 1",
    )
    answerPlus(a.open[0]!)
    const next = send([int32('X', [3, 3])])
    answerPlus(a.open[0]!)
    expect(next.finals).toBe(1)
    expect(clock.timers).toBe(0)
  })

  it('lets thousands that wait for a step that answers at once in without growing the stack', async () => {
    const a: ManualModel = one('a')
    const { send, ensemble } = await createRig(limited(1), [a, one('b', 0)])
    const first = send([int32('X', [0, 0])])
    const waiting = Array.from({ length: 20_000 }, () => sendTo(ensemble, [int32('X', [1, 1])]))
    Object.assign(a, { submit: (request: Parameters<typeof answerPlus>[0]) => answerPlus(request) })
    answerPlus(a.requests[0]!)
    expect(first.finals).toBe(1)
    expect(waiting.every(({ finals }) => finals === 1)).toBe(true)
  })
})

describe('a step gate', () => {
  it('can be left while somebody is let in', () => {
    const gate = createStepGate({ limit: 1, clock: createFakeClock() })
    const entered: number[] = []
    const waiter = (id: number): GateWaiter => ({
      admitted() {
        entered.push(id)
        gate.leave()
      },
      refused() {},
    })
    expect(gate.enter(waiter(0))).toBe(true)
    for (const id of [1, 2, 3]) expect(gate.enter(waiter(id))).toBe(false)
    gate.leave()
    expect(entered).toEqual([1, 2, 3])
    expect(gate.enter(waiter(4))).toBe(true)
  })
})
