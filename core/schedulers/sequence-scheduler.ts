import type { InferRequest } from '../infer.ts'
import { enter } from './admission.ts'
import { createAlarm } from './alarm.ts'
import { createDrain } from './drain.ts'
import type { SchedulerOptions } from './parts.ts'
import { cancelled, queueFull, refuse, schedulerClosed } from './refusal.ts'
import type { Sequence } from './sequence.ts'
import { createDirectLane } from './sequence-direct.ts'
import {
  createSequenceIdCheck,
  hasSequenceId,
  type SequenceKey,
  sequenceKey,
} from './sequence-id.ts'
import type { SequenceDesk } from './sequence-lane.ts'
import { createOldestLane } from './sequence-oldest.ts'
import { SequenceSlots } from './sequence-slots.ts'
import { createSequenceSteps } from './sequence-steps.ts'
import { createSequenceTable } from './sequence-table.ts'
import type { Scheduler } from './types.ts'

/**
 * Requests that may wait in the lines of one model's sequences, those of the backlog included; whoever comes then is told
 * that the queue is full.
 */
export const MAX_SEQUENCE_REQUESTS = 10_000

/**
 * Triton's sequence batcher. A sequence gets a slot of one instance at its START and keeps it until its END was answered,
 * nobody asked for it for `max_sequence_idle_microseconds`, or a request of it was cancelled before it ran. Without a
 * free slot it waits whole in the backlog. One timer for everything but the windows of the oldest strategy.
 */
export function createSequenceScheduler(parts: SchedulerOptions): Scheduler {
  const { clock, config, stats, log, modelName } = parts
  const batching = config.sequence_batching ?? {}
  const iterative = batching.iterative_sequence === true
  const check = createSequenceIdCheck(config, modelName)
  const steps = createSequenceSteps({ config, initialStates: parts.initialStates ?? new Map() })
  let ownKeys = 0
  let wakeNs = 0
  let closing: Promise<void> | null = null
  let closed = false

  const wakeAt = (atNs: number): void => {
    if (atNs === 0 || (wakeNs !== 0 && wakeNs <= atNs)) return
    wakeNs = atNs
    alarm.set(atNs)
  }
  const alarm = createAlarm({
    clock,
    onRing() {
      wakeNs = 0
      const nowNs = clock.now()
      table.expire(nowNs)
      for (const lane of lanes) lane.ring(nowNs)
      wakeAt(table.nextNs)
      drain.check()
    },
  })
  const table = createSequenceTable({
    clock,
    stats,
    controls: steps.controls,
    slots: () => slots,
    idleNs: (batching.max_sequence_idle_microseconds ?? 0) * 1000,
    onDeadline: () => wakeAt(table.nextNs),
    onAnswered: () => drain.check(),
  })
  const drain = createDrain({
    empty: () => table.waiting === 0 && lanes.every((lane) => lane.idle),
    onStart() {
      const nowNs = clock.now()
      for (const lane of lanes) lane.ring(nowNs)
      for (const lane of lanes) for (const { sequence } of lane.slots) yieldSlot(sequence)
    },
  })
  /** Nobody new is served at the end: a sequence that only holds its slot gives it to one that waits. */
  const yieldSlot = (sequence: Sequence | null): void => {
    if (sequence === null || !drain.draining || table.backlog === 0) return
    if (sequence.running === null && sequence.size === 0) table.end(sequence)
  }
  const desk: SequenceDesk = {
    get draining() {
      return drain.draining
    },
    wakeAt,
    take(sequence) {
      const request = table.shift(sequence)
      steps.begin(sequence, request)
      return request
    },
    done(sequence) {
      const { running, again } = sequence
      sequence.touchedNs = clock.now()
      sequence.again = false
      steps.end(sequence)
      if (again && running !== null && !running.settled) runAgain(sequence, running)
      else if (iterative || !sequence.open) table.end(sequence)
      else yieldSlot(sequence)
      drain.check()
    },
    broken: (sequence) => table.drop(sequence),
  }
  const runAgain = (sequence: Sequence, request: InferRequest): void => {
    request.queuedNs = clock.now()
    if (request.cancelled) {
      table.end(sequence)
      refuseNow(request, 'cancelled')
      return
    }
    request.sequenceStart = false
    request.sequenceEnd = false
    table.unshift(sequence, request)
  }
  const refuseNow = (request: InferRequest, why: 'cancelled' | 'full' | 'closed'): void => {
    const error =
      why === 'cancelled'
        ? cancelled()
        : why === 'full'
          ? queueFull(request)
          : schedulerClosed(request)
    const reason = why === 'cancelled' ? 'CANCELED' : 'REJECTED'
    refuse({ request, error, reason, stats, nowNs: clock.now() })
  }
  const createLane = batching.oldest === undefined ? createDirectLane : createOldestLane
  const lanes = parts.instances.map((instance) => createLane({ parts, instance, desk, steps }))
  const candidates = batching.oldest?.max_candidate_sequences ?? 0
  const slots = new SequenceSlots(lanes, candidates || (config.max_batch_size ?? 0))

  return {
    get pending() {
      return lanes.reduce((sum, lane) => sum + lane.queued, table.waiting)
    },
    get openSequences() {
      return table.open
    },
    submit(request) {
      const nowNs = clock.now()
      enter(request, nowNs)
      const problem = check.problem(request)
      if (problem !== null) {
        request.respond(problem)
        return
      }
      let key = sequenceKey(request)
      let id: SequenceKey = request.sequenceId
      if (!hasSequenceId(request)) {
        key = ++ownKeys
        id = key
        // What runs it may keep what it remembers by this number.
        request.sequenceId = BigInt(key)
        request.sequenceStart = true
      }
      const sequence = table.find(key)
      const isNew = request.sequenceStart
      if (closed || (closing !== null && isNew)) refuseNow(request, 'closed')
      else if (sequence === undefined && !isNew) request.respond(check.unknown(request))
      else if (request.cancelled) refuseNow(request, 'cancelled')
      else if (table.waiting >= MAX_SEQUENCE_REQUESTS) refuseNow(request, 'full')
      else {
        if (sequence !== undefined && isNew) {
          log.warning(
            `sequence ${JSON.stringify(String(id))} for model '${modelName}' has a conflict. The previous sequence did not end before this sequence start. Previous sequence will be terminated early.`,
          )
        }
        table.push(sequence ?? table.start(key, id), request, nowNs)
      }
    },
    close() {
      closing ??= drain.close().then(async () => {
        closed = true
        alarm.set(0)
        await Promise.all(lanes.map((lane) => lane.close()))
      })
      return closing
    },
  }
}
