import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DynamicBatching, ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { createRig, type Rig, type Sent, US } from './rig.ts'

const SEED = 20_240_611
const RUNS = 400

type Step =
  | {
      readonly do: 'send'
      readonly rows: number
      readonly priority: number
      readonly timeoutUs: number
      readonly columns: number
    }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'advance'; readonly us: number }
  | { readonly do: 'finish'; readonly instance: number; readonly fails: boolean }
  | { readonly do: 'turn' }

const send = fc.record({
  do: fc.constant('send' as const),
  rows: fc.integer({ min: 1, max: 4 }),
  priority: fc.integer({ min: 0, max: 4 }),
  timeoutUs: fc.integer({ min: 0, max: 300 }),
  columns: fc.integer({ min: 1, max: 2 }),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: send },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(200) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      us: fc.integer({ min: 1, max: 200 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      instance: fc.nat(3),
      fails: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'turn' as const }) },
)
const policy = fc.record({
  timeout_action: fc.constantFrom('REJECT' as const, 'DELAY' as const),
  default_timeout_microseconds: fc.constantFrom(0, 150),
  allow_timeout_override: fc.boolean(),
  max_queue_size: fc.constantFrom(0, 5),
})
const levelled: fc.Arbitrary<DynamicBatching> = fc.record({
  preferred_batch_size: fc.constantFrom([], [2], [3, 5]),
  max_queue_delay_microseconds: fc.constantFrom(0, 100),
  priority_levels: fc.constant(3),
  default_priority_level: fc.integer({ min: 1, max: 3 }),
  default_queue_policy: policy,
})
const ordered: fc.Arbitrary<DynamicBatching> = fc.record({
  preserve_ordering: fc.constant(true),
  max_queue_delay_microseconds: fc.constantFrom(0, 100),
  default_queue_policy: fc.record({ max_queue_size: fc.constantFrom(0, 5) }),
})
const batching = fc.oneof(levelled, ordered, fc.constant(undefined))
const MAX_BATCH = 6

function configOf(dynamic: DynamicBatching | undefined): ModelConfig {
  return dynamic === undefined
    ? { max_batch_size: MAX_BATCH }
    : { max_batch_size: MAX_BATCH, dynamic_batching: dynamic }
}

function perform(rig: Rig, sent: Sent[], at: Step): void {
  if (at.do === 'send') {
    const id = `${sent.length}`
    sent.push(rig.send(id, { ...at, value: sent.length }))
  } else if (at.do === 'cancel') sent[at.which % Math.max(1, sent.length)]?.request.cancel()
  else if (at.do === 'advance') rig.clock.advance(at.us * US)
  else if (at.do === 'turn') rig.clock.turn()
  else {
    const instance = rig.instances[at.instance % rig.instances.length]
    if (instance?.running === true) {
      instance.finish(at.fails ? new ServerError('INTERNAL', 'planned') : undefined)
    }
  }
}

/** Nobody may wait while an instance is free, no window is open and the event loop is at rest. */
function expectNoStarvation(rig: Rig, delayed: boolean): void {
  rig.clock.settle()
  const free = rig.instances.some((instance) => !instance.running)
  if (free && !delayed) expect(rig.scheduler.pending).toBe(0)
}

test(`every request is answered exactly once, with its own rows, whatever happens (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      batching,
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 120 }),
      async (dynamic, count, steps) => {
        const rig = createRig({ config: configOf(dynamic), count, paused: true })
        const delayed = (dynamic?.max_queue_delay_microseconds ?? 0) > 0
        const sent: Sent[] = []
        for (const at of steps) {
          perform(rig, sent, at)
          if (at.do === 'turn') expectNoStarvation(rig, delayed)
        }
        await drain(rig)
        expectAnswers(rig, sent)
        expectBatches(rig, sent, dynamic)
        expectCounts(rig, sent)
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
})

async function drain(rig: Rig): Promise<void> {
  const closing = rig.scheduler.close()
  for (let i = 0; i < 1000; i++) {
    rig.clock.settle()
    const busy = rig.instances.filter((instance) => instance.running)
    if (busy.length === 0) break
    for (const instance of busy) instance.finish()
  }
  await closing
  expect(rig.clock.timers).toBe(0)
  expect(rig.scheduler.pending).toBe(0)
}

function expectAnswers(rig: Rig, sent: readonly Sent[]): void {
  for (const [index, one] of sent.entries()) {
    expect(one.answers).toHaveLength(1)
    if (one.error === '') expect(new Set(one.values)).toEqual(new Set([index]))
  }
  expect(rig.log).toEqual([])
}

function expectBatches(
  rig: Rig,
  sent: readonly Sent[],
  dynamic: DynamicBatching | undefined,
): void {
  const ran = rig.batches.flat()
  expect(new Set(ran).size).toBe(ran.length)
  for (const batch of rig.batches) {
    const requests = batch.map((id) => sent[Number(id)]!.request)
    expect(requests.reduce((rows, request) => rows + request.batchSize, 0)).toBeLessThanOrEqual(
      MAX_BATCH,
    )
    expect(new Set(requests.map((request) => request.inputs[0]?.shape[1])).size).toBe(1)
    if (dynamic === undefined) expect(batch).toHaveLength(1)
  }
  if (dynamic?.default_queue_policy?.timeout_action !== 'DELAY')
    expectFifoPerLevel(ran, sent, dynamic)
  if (dynamic?.preserve_ordering === true) {
    const answered = rig.order.filter((id) => ran.includes(id))
    expect(answered).toEqual(ran)
  }
}

function expectFifoPerLevel(
  ran: readonly string[],
  sent: readonly Sent[],
  dynamic: DynamicBatching | undefined,
): void {
  const levels = dynamic?.priority_levels ?? 0
  const last = new Map<number, number>()
  for (const id of ran) {
    const { priority } = sent[Number(id)]!.request
    const level =
      priority > 0 && priority <= levels ? priority : (dynamic?.default_priority_level ?? 0)
    expect(Number(id)).toBeGreaterThan(last.get(level) ?? -1)
    last.set(level, Number(id))
  }
}

function expectCounts({ stats }: Rig, sent: readonly Sent[]): void {
  const failed = sent.filter((one) => one.error !== '').length
  expect(stats.fail.count).toBe(failed)
  expect(stats.success.count).toBe(sent.length - failed)
  const { REJECTED, CANCELED, BACKEND, OTHER } = stats.failures
  expect(REJECTED + CANCELED + BACKEND + OTHER).toBe(failed)
  let executions = 0
  for (const size of stats.batches.values()) executions += size.computeInfer.count
  expect(executions).toBe(stats.executionCount)
}
