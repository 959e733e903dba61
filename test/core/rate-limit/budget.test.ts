import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Instance } from '../../../core/backend/types.ts'
import type { FakeInstance } from '../../helpers/fake-backend.ts'
import { createRateRig, type Execution, execute } from './rig.ts'

const SEED = 20_251_121
const RUNS = 300

const limits = fc.record({
  device: fc.nat(1),
  priority: fc.nat(3),
  resources: fc.record({ own: fc.nat(4), shared: fc.nat(4) }).map(({ own, shared }) => [
    { name: 'own', count: own },
    { name: 'shared', global: true, count: shared },
  ]),
})
const model = fc.record({
  bound: fc.boolean(),
  limits: fc.array(limits, { minLength: 1, maxLength: 3 }),
})
const step = fc.record({
  do: fc.constantFrom('execute', 'execute', 'finish', 'finish', 'terminate'),
  which: fc.nat(100),
})

interface Slot {
  readonly seat: Instance
  execution: Execution | null
}

test(`no resource is ever taken more than there is, and nobody waits for ever (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(model, { minLength: 1, maxLength: 4 }),
      fc.array(step, { maxLength: 120 }),
      (models, steps) => {
        const rig = createRateRig()
        const crews = models.map((one) => rig.crew(one.limits, { bound: one.bound }))
        const instances = crews.flatMap((crew) => crew.instances)
        const needs = models.flatMap((one) => one.limits)
        const slots: Slot[] = crews
          .flatMap((crew) => crew.seats)
          .map((seat) => ({ seat, execution: null }))
        const busy = () => instances.filter(({ running }) => running)
        const taken = (name: string, device: number | null): number =>
          instances.reduce((sum, { running }, i) => {
            const { device: own, resources } = needs[i]!
            if (!running || (device !== null && device !== own)) return sum
            return sum + (resources.find((one) => one.name === name)?.count ?? 0)
          }, 0)
        const most = (name: string, device: number | null): number =>
          Math.max(
            0,
            ...needs
              .filter(({ device: own }) => device === null || own === device)
              .map(({ resources }) => resources.find((one) => one.name === name)?.count ?? 0),
          )
        const check = (): void => {
          for (const device of [0, 1])
            expect(taken('own', device)).toBeLessThanOrEqual(most('own', device))
          expect(taken('shared', null)).toBeLessThanOrEqual(most('shared', null))
        }
        const free = (slot: Slot) => slot.execution === null || slot.execution.results.length === 1
        for (const { do: what, which } of steps) {
          const slot = slots[which % slots.length]!
          if (what === 'execute' && free(slot)) slot.execution = execute(slot.seat, '')
          if (what === 'finish') pick(busy(), which)?.finish()
          if (what === 'terminate' && !free(slot)) slot.seat.terminate?.()
          check()
        }
        for (let left = 1000; left > 0 && busy().length > 0; left--) {
          busy()[0]?.finish()
          rig.clock.settle()
          check()
        }
        for (const { execution } of slots) {
          if (execution !== null) expect(execution.results).toHaveLength(1)
        }
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
})

function pick(some: readonly FakeInstance[], which: number): FakeInstance | undefined {
  return some[which % Math.max(1, some.length)]
}
