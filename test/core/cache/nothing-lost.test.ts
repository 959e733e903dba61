import fc from 'fast-check'
import { expect, it } from 'vitest'
import { localCache } from '../../../core/cache/local-cache.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Sent } from '../schedulers/rig.ts'
import { type CachedRig, createCachedRig, remoteCache } from './cached-rig.ts'

type Step =
  | { readonly kind: 'send'; readonly value: number; readonly priority: number }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'finish' | 'fail' | 'look up' | 'settle' | 'reload' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      value: fc.nat(2),
      priority: fc.nat(1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(9) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('finish', 'fail', 'look up', 'settle', 'reload'),
    }),
  },
)

interface Outcome {
  readonly sent: readonly Sent[]
  readonly rig: CachedRig
}

/** Does the steps, then lets everything come to its end. */
async function play(
  steps: readonly Step[],
  options: { readonly where: 'local' | 'tiny' | 'remote'; readonly ordered: boolean },
): Promise<Outcome> {
  const remote = remoteCache()
  const local = localCache({ size: options.where === 'tiny' ? 1 : 8 * 900 })
  let load = 0
  const rig = createCachedRig({
    paused: true,
    count: 2,
    cache: options.where === 'remote' ? remote.cache : local,
    identity: () => `load ${load}`,
    config: {
      dynamic_batching: {
        preserve_ordering: options.ordered,
        priority_levels: 2,
        default_priority_level: 2,
      },
    },
  })
  const sent: Sent[] = []
  const run = (error?: ServerError): boolean => {
    const busy = rig.instances.find(({ running }) => running)
    busy?.finish(error)
    rig.clock.settle()
    return busy !== undefined
  }
  for (const one of steps) {
    if (one.kind === 'send') {
      // What comes back is the value: an answer of another request would show.
      const { value, priority } = one
      sent.push(rig.send(`r${sent.length}`, { value, priority }))
    } else if (one.kind === 'cancel') sent.at(-1 - one.which)?.request.cancel()
    else if (one.kind === 'finish') run()
    else if (one.kind === 'fail') run(new ServerError('INTERNAL', 'broken'))
    else if (one.kind === 'look up') await remote.answerOne()
    else if (one.kind === 'settle') rig.clock.settle()
    else load++
  }
  const closing = rig.scheduler.close()
  rig.clock.settle()
  while (run() || remote.asked > 0) {
    if (remote.asked > 0) await remote.answerOne()
    rig.clock.settle()
  }
  await closing
  return { sent, rig }
}

it('whatever happens, every request has one answer, its own, and every one is counted once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.constantFrom('local', 'tiny', 'remote'),
      fc.boolean(),
      async (steps, where, ordered) => {
        const values = steps.flatMap((one) => (one.kind === 'send' ? [one.value] : []))
        const { sent, rig } = await play(steps, { where, ordered })
        let failed = 0
        for (const [i, one] of sent.entries()) {
          expect(one.answers).toHaveLength(1)
          if (one.error === '') expect(one.values).toEqual([values[i]])
          else failed++
          if (one.error !== '' && !one.request.cancelled) expect(one.error).toBe('INTERNAL broken')
        }
        const { stats } = rig
        expect(stats.fail.count).toBe(failed)
        expect(stats.success.count).toBe(sent.length - failed)
        expect(stats.success.count - stats.cacheHit.count).toBe(stats.inferenceCount)
        if (ordered) expect(rig.order).toEqual(sent.map(({ id }) => id))
      },
    ),
    { numRuns: 300 },
  )
})
