import { describe, expect, it } from 'vitest'
import type { Instance } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { type Crew, createRateRig, execute, needs } from './rig.ts'

const first = ({ seats }: Crew) => seats[0] as Instance

describe('without anything to wait for', () => {
  it('a batch runs at once and its answer comes back', () => {
    const rig = createRateRig()
    const crew = rig.crew([{}], { paused: false })
    const { results } = execute(first(crew), 'a')
    expect(results).toMatchObject([{ outputs: [{ name: 'OUTPUT0' }] }])
  })

  it('instances of one model run at the same time', () => {
    const rig = createRateRig()
    const crew = rig.crew([{}, {}])
    for (const [i, seat] of crew.seats.entries()) execute(seat, `${i}`)
    expect(crew.instances.map(({ running }) => running)).toEqual([true, true])
  })

  it('an error of the instance is the answer, and the next batch runs', () => {
    const rig = createRateRig()
    const crew = rig.crew([needs({ R: 1 })], { paused: false })
    crew.instances[0]?.failNext(new ServerError('INTERNAL', 'no'))
    expect(execute(first(crew), 'a').results).toMatchObject([{ message: 'no' }])
    expect(execute(first(crew), 'b').results).toMatchObject([{ outputs: [{}] }])
  })

  it('an instance that throws gives its resources back', () => {
    const rig = createRateRig()
    const crew = rig.crew([needs({ R: 1 })])
    const instance = crew.instances[0] as Instance
    const { execute: run } = instance
    instance.execute = () => {
      throw new ServerError('INTERNAL', 'it threw')
    }
    expect(execute(first(crew), 'a').results).toMatchObject([{ message: 'it threw' }])
    instance.execute = run
    execute(first(crew), 'b')
    expect(rig.started).toEqual(['b'])
  })
})

describe('resources', () => {
  it('a batch waits until what it needs is free, and its time begins then', () => {
    const rig = createRateRig()
    const a = rig.crew([needs({ R: 4 })])
    const b = rig.crew([needs({ R: 1 })])
    execute(first(a), 'a')
    const waiting = execute(first(b), 'b')
    expect(rig.started).toEqual(['a'])
    rig.clock.advance(5000)
    a.instances[0]?.finish()
    expect(rig.started).toEqual(['a', 'b'])
    expect(waiting.marks.startNs).toBe(rig.clock.now())
  })

  it('as many run together as there is room for', () => {
    const rig = createRateRig([{ name: 'R', count: 3 }])
    const crews = ['a', 'b', 'c', 'd'].map((id) => {
      const crew = rig.crew([needs({ R: 1 })])
      execute(first(crew), id)
      return crew
    })
    expect(rig.started).toEqual(['a', 'b', 'c'])
    crews[1]?.instances[0]?.finish()
    expect(rig.started).toEqual(['a', 'b', 'c', 'd'])
  })

  it('each device has its own, and what is global is there once', () => {
    const rig = createRateRig()
    const device = rig.crew([
      { ...needs({ R: 1 }), device: 0 },
      { ...needs({ R: 1 }), device: 1 },
    ])
    for (const [i, seat] of device.seats.entries()) execute(seat, `device${i}`)
    expect(rig.started).toEqual(['device0', 'device1'])

    const global = { resources: [{ name: 'G', global: true, count: 1 }] }
    const shared = rig.crew([
      { ...global, device: 0 },
      { ...global, device: 1 },
    ])
    for (const [i, seat] of shared.seats.entries()) execute(seat, `global${i}`)
    expect(rig.started.slice(2)).toEqual(['global0'])
  })

  it('who needs much is not overtaken for ever by those who need little', () => {
    const rig = createRateRig()
    const small = [rig.crew([needs({ R: 1 })]), rig.crew([needs({ R: 1 })])] as const
    const big = rig.crew([needs({ R: 2 })])
    execute(first(small[0]), 'small 0')
    execute(first(big), 'big')
    execute(first(small[1]), 'small 1')
    expect(rig.started).toEqual(['small 0'])
    small[0].instances[0]?.finish()
    expect(rig.started).toEqual(['small 0', 'big'])
  })

  it('who needs none of what others wait for goes past them', () => {
    const rig = createRateRig()
    const a = rig.crew([needs({ R: 1 })])
    const b = rig.crew([needs({ R: 1 })])
    const free = rig.crew([needs({ S: 1 })])
    execute(first(a), 'a')
    execute(first(b), 'b')
    execute(first(free), 'free')
    expect(rig.started).toEqual(['a', 'free'])
  })
})

describe('turns', () => {
  /** How often each of two models ran when both always have work and only one may run. */
  function shares(one: number, other: number, rounds: number): readonly number[] {
    const rig = createRateRig()
    const crews = [rig.crew([needs({ R: 1 }, one)]), rig.crew([needs({ R: 1 }, other)])]
    const next = (crew: Crew): void => {
      execute(first(crew), '', () => next(crew))
    }
    for (const crew of crews) next(crew)
    for (let round = 0; round < rounds; round++) {
      crews.find(({ instances }) => instances[0]?.running)?.instances[0]?.finish()
    }
    return crews.map(({ instances }) => instances[0]?.batches.length ?? 0)
  }

  it('are equal without priorities', () => {
    expect(shares(0, 1, 99)).toEqual([50, 50])
  })

  it('are half as many for an instance of priority 2', () => {
    expect(shares(1, 2, 299)).toEqual([200, 100])
  })

  it('of one model go to the instance that ran least, whichever seat asks', () => {
    const rig = createRateRig()
    const crew = rig.crew([needs({}, 1), needs({}, 3)], { paused: false })
    for (let i = 0; i < 40; i++) execute(first(crew), `${i}`)
    expect(crew.instances.map(({ batches }) => batches.length)).toEqual([30, 10])
  })

  it('of a model with state stay with the instance that has it', () => {
    const rig = createRateRig()
    const crew = rig.crew([{}, {}], { paused: false, bound: true })
    for (let i = 0; i < 5; i++) execute(first(crew), `${i}`)
    expect(crew.instances.map(({ batches }) => batches.length)).toEqual([5, 0])
  })

  it('a model that comes later does not get all the turns that it has missed', () => {
    const rig = createRateRig()
    const old = rig.crew([needs({ R: 1 })], { paused: false })
    for (let i = 0; i < 100; i++) execute(first(old), `${i}`)
    const young = rig.crew([needs({ R: 1 })])
    const busy = old.instances[0]
    if (busy !== undefined) busy.paused = true
    execute(first(old), 'old 1')
    const other = rig.crew([needs({ R: 1 })])
    execute(first(young), 'young')
    execute(first(other), 'other')
    busy?.finish()
    young.instances[0]?.finish()
    other.instances[0]?.finish()
    execute(first(old), 'old 2')
    expect(rig.started.slice(100)).toEqual(['old 1', 'young', 'other', 'old 2'])
  })

  it('of instances that run inline do not keep the event loop', () => {
    const rig = createRateRig()
    const gate = rig.crew([needs({ R: 1 })])
    const crews = Array.from({ length: 100 }, () => rig.crew([needs({ R: 1 })], { paused: false }))
    execute(first(gate), 'gate')
    for (const [i, crew] of crews.entries()) execute(first(crew), `${i}`)
    gate.instances[0]?.finish()
    expect(rig.started.length).toBeLessThan(101)
    rig.clock.advance(0)
    expect(rig.started).toHaveLength(101)
  })
})

describe('who no longer wants to run', () => {
  it('gives its place up when it waits: the batch is cancelled and never runs', () => {
    const rig = createRateRig()
    const a = rig.crew([needs({ R: 1 })])
    const b = rig.crew([needs({ R: 1 })])
    execute(first(a), 'a')
    const { results } = execute(first(b), 'b')
    first(b).terminate?.()
    expect(results).toMatchObject([{ code: 'CANCELLED' }])
    a.instances[0]?.finish()
    expect(rig.started).toEqual(['a'])
  })

  it('frees what was kept for it', () => {
    const rig = createRateRig()
    const small = [rig.crew([needs({ R: 1 })]), rig.crew([needs({ R: 1 })])] as const
    const big = rig.crew([needs({ R: 2 })])
    execute(first(small[0]), 'small 0')
    execute(first(big), 'big')
    execute(first(small[1]), 'small 1')
    first(big).terminate?.()
    rig.clock.advance(0)
    expect(rig.started).toEqual(['small 0', 'small 1'])
  })

  it('stops the instance when it runs', () => {
    const rig = createRateRig()
    const crew = rig.crew([{}])
    execute(first(crew), 'a')
    first(crew).terminate?.()
    expect(crew.instances[0]?.terminated).toBe(1)
  })

  it('says so to an instance with many answers, and only to one that has the request', () => {
    const rig = createRateRig()
    const limits = [needs({ R: 1 })]
    const a = rig.crew(limits, { bound: true, hearsCancel: true })
    const b = rig.crew(limits, { bound: true, hearsCancel: true })
    const running = execute(first(a), 'a')
    const waiting = execute(first(b), 'b')
    for (const [crew, { request }] of [
      [a, running],
      [b, waiting],
    ] as const) {
      request.cancel()
      first(crew).cancelled?.(request)
    }
    expect(a.instances[0]?.cancellations).toEqual([running.request])
    expect(b.instances[0]?.cancellations).toEqual([])
    expect(waiting.results).toMatchObject([{ code: 'CANCELLED' }])
  })
})
