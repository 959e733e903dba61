import { expect, test } from 'vitest'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { seen, value } from '../../contract/decoupled.ts'
import type { FakeInstance } from '../../helpers/fake-backend.ts'
import { createRig, type Sent } from './rig.ts'

const SEED = 20261121
const ROUNDS = 3000
const CANCELLED = 'CANCELLED request was cancelled'

/** Marsaglia's xorshift: the same numbers in every run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const CONFIGS: readonly [string, ModelConfig][] = [
  ['direct', {}],
  ['dynamic', { dynamic_batching: { max_queue_delay_microseconds: 50 } }],
  ['in order', { dynamic_batching: { preserve_ordering: true } }],
]

test.each(CONFIGS)(
  `every stream is whole and ends once, whatever happens: %s (seed ${SEED})`,
  async (name, config) => {
    const random = randomOf(SEED)
    const { send, clock, instances, scheduler, stats } = createRig({
      config: { ...config, model_transaction_policy: { decoupled: true } },
      count: 2,
      paused: true,
      hearsCancel: true,
    })
    const all: Sent[] = []
    /** What was sent to each request, by its id; complete when its last entry is not a number. */
    const sent = new Map<string, (number | string | null)[]>()
    const open: { instance: FakeInstance; batch: number; index: number; id: string }[] = []
    const known = instances.map(() => 0)

    const look = (): void => {
      for (const [i, instance] of instances.entries()) {
        for (; (known[i] as number) < instance.batches.length; known[i]!++) {
          const batch = known[i] as number
          for (const [index, id] of instance.batches[batch]!.ids.entries()) {
            open.push({ instance, batch, index, id })
            sent.set(id, [])
          }
        }
      }
    }
    const answer = (at: number, final: boolean): void => {
      const one = open[at]!
      const log = sent.get(one.id)!
      const answers = one.instance.batches[one.batch]!.answers!
      if (random(10) === 0) {
        const left = one.instance.batches[one.batch]!.requests[one.index]!.cancelled
        log.push(final && left ? CANCELLED : 'UNKNOWN no')
        answers.send(one.index, new ServerError('UNKNOWN', 'no'), final)
      } else if (final && random(2) === 0) {
        log.push(null)
        answers.send(one.index, null, true)
      } else {
        const number = random(1_000_000)
        log.push(number)
        answers.send(one.index, value(number), final)
      }
      if (final) open.splice(at, 1)
    }

    for (let round = 0; round < ROUNDS; round++) {
      const what = random(10)
      if (what < 3) all.push(send(`r${all.length}`))
      else if (what < 7 && open.length > 0) answer(random(open.length), random(3) === 0)
      else if (what === 7) instances.find((instance) => instance.running)?.finish()
      else if (what === 8 && all.length > 0) all[random(all.length)]?.request.cancel()
      else clock.advance(random(100) * 1000)
      look()
    }
    const closing = scheduler.close()
    for (
      let i = 0;
      i < 100_000 &&
      (open.length > 0 || scheduler.pending > 0 || instances.some((one) => one.running));
      i++
    ) {
      if (open.length > 0) answer(0, true)
      for (const instance of instances) if (instance.running) instance.finish()
      clock.advance(1000_000)
      look()
    }
    await closing
    for (const one of all) {
      const expected = sent.get(one.id)
      const got = seen(one)
      // What never ran was cancelled while it waited.
      if (expected === undefined) expect(got).toEqual([CANCELLED])
      else expect(got, `${name} ${one.id}`).toEqual(expected)
      expect(one.request.settled).toBe(true)
    }
    expect(all.length).toBeGreaterThan(500)
    const { failures, success } = stats
    expect(success.count + failures.BACKEND + failures.CANCELED).toBe(all.length)
  },
)
