import type { Instance } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { createBatchRule } from './batch-rule.ts'
import type { Runner } from './execute.ts'
import { createSchedulerParts } from './parts.ts'
import type { Sequence } from './sequence.ts'
import type { SequenceLaneOptions } from './sequence-lane.ts'
import { createNullRequests } from './sequence-null.ts'
import type { SequenceLane, SequenceSlot } from './sequence-slots.ts'

/**
 * The direct strategy: a slot is a row, so that a model may keep its sequences' state by row. A batch reaches up to the
 * highest slot that has a request; null requests stand in the empty rows below. It runs at the end of the turn in which
 * requests come, or waits `max_queue_delay_microseconds` for `minimum_slot_utilization`.
 */
export function createDirectLane(options: SequenceLaneOptions): SequenceLane {
  const { parts, desk, steps } = options
  const { clock, config } = parts
  const direct = config.sequence_batching?.direct ?? {}
  const delayNs = (direct.max_queue_delay_microseconds ?? 0) * 1000
  const wanted = (direct.minimum_slot_utilization ?? 0) * Math.max(1, config.max_batch_size ?? 0)
  const rule = createBatchRule(config)
  const nulls = createNullRequests(config, steps.controls)
  const slots: SequenceSlot[] = []
  const inFlight: Sequence[] = []
  let busy = false
  /** Steps of a decoupled model whose answers still come although their execution is over. */
  let following = 0
  let turning = false

  /** Whether the window is still open for more slots to fill. */
  const waits = (nowNs: number): boolean => {
    if (delayNs === 0 || wanted === 0 || desk.draining) return false
    let count = 0
    let oldestNs = Number.POSITIVE_INFINITY
    for (const { sequence } of slots) {
      const request = ready(sequence)
      if (request === null) continue
      count++
      oldestNs = Math.min(oldestNs, request.queuedNs)
    }
    if (count === 0 || count >= wanted || nowNs - oldestNs > delayNs) return false
    desk.wakeAt(oldestNs + delayNs + 1)
    return true
  }
  /** The sequence that runs in each row, null for a row that stays empty this time. */
  const choose = (): (Sequence | null)[] => {
    const rows: (Sequence | null)[] = []
    let first: { readonly sequence: Sequence; readonly request: InferRequest } | null = null
    for (const { sequence, number } of slots) {
      const request = ready(sequence)
      if (sequence === null || request === null) continue
      first ??= { sequence, request }
      if (!joins(first.sequence, first.request, sequence, request)) continue
      while (rows.length < number) rows.push(null)
      rows.push(sequence)
    }
    return rows
  }
  const joins = (
    first: Sequence,
    firstRequest: InferRequest,
    other: Sequence,
    request: InferRequest,
  ): boolean => {
    if (first === other) return true
    if (rule !== null && !rule(firstRequest, request)) return false
    return (
      steps.states?.fit(steps.statesFor(first, firstRequest), steps.statesFor(other, request)) ??
      true
    )
  }
  const run = (nowNs: number): void => {
    if (busy || waits(nowNs)) return
    const rows = choose()
    if (rows.length === 0) return
    busy = true
    const requests: (InferRequest | null)[] = rows.map((sequence) => {
      if (sequence === null) return null
      inFlight.push(sequence)
      return desk.take(sequence)
    })
    const like = requests.find((request) => request !== null) as InferRequest
    if (requests.length === 1) runner.runOne(like, nowNs)
    else {
      const batch = requests.map((request) => request ?? nulls.like(like))
      runner.run(batch, batch.length, nowNs)
    }
  }
  const onTurn = (): void => {
    turning = false
    run(clock.now())
  }
  const wake = (): void => {
    if (busy || turning) return
    turning = true
    clock.nextTurn(onTurn)
  }
  const onIdle = (): void => {
    busy = false
    for (const sequence of inFlight.splice(0)) {
      const { running, again } = sequence
      if (running === null || running.settled || again) desk.done(sequence)
      else follow(sequence, running)
    }
    if (slots.some(({ sequence }) => ready(sequence) !== null)) wake()
  }
  /** The sequence's next step waits for the last answer of this one. */
  const follow = (sequence: Sequence, request: InferRequest): void => {
    following++
    const before = request.onSettled
    request.onSettled = (settled, answer) => {
      before?.(settled, answer)
      following--
      if (answer instanceof ServerError && answer.code === 'CANCELLED') desk.broken(sequence)
      desk.done(sequence)
      wake()
    }
  }
  const instance: Instance = steps.wrap(options.instance, () => {})
  const [runner] = createSchedulerParts({ ...parts, instances: [instance] }).createRunners({
    onIdle,
    ordered: null,
  }) as readonly [Runner]

  return {
    slots,
    queued: 0,
    get idle() {
      return !busy && following === 0
    },
    wake,
    ring: run,
    close: () => Promise.resolve(),
  }
}

/** The request that a sequence's next step would run now. */
function ready(sequence: Sequence | null): InferRequest | null {
  if (sequence === null || sequence.running !== null) return null
  return sequence.head?.request ?? null
}
