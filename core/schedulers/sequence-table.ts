import type { InferRequest } from '../infer.ts'
import type { Clock } from '../platform.ts'
import type { ModelStats } from '../stats.ts'
import { cancelled, refuse } from './refusal.ts'
import { Sequence } from './sequence.ts'
import { createSequenceBacklog } from './sequence-backlog.ts'
import type { SequenceControls } from './sequence-control.ts'
import type { SequenceKey } from './sequence-id.ts'
import { createSequenceIdle } from './sequence-idle.ts'
import type { SequenceSlot, SequenceSlots } from './sequence-slots.ts'
import { createWaitingPool, type Waiting } from './waiting.ts'

/** Who has which slot, who waits for one, and which requests wait in whose line. */
export interface SequenceTable {
  /** Requests in the lines of all sequences. */
  readonly waiting: number
  /** Sequences without a slot. */
  readonly backlog: number
  /** Sequences that take requests, those of the backlog included. */
  readonly open: number
  /** When {@link expire} has something to look at; 0 = never. */
  readonly nextNs: number
  /** The sequence that takes requests under `key`. */
  find(key: SequenceKey): Sequence | undefined
  /** A new sequence, with a slot if one is free; `id` is what the model gets to see. */
  start(key: SequenceKey, id: SequenceKey): Sequence
  /** Puts `request` at the end of the sequence's line. */
  push(sequence: Sequence, request: InferRequest, nowNs: number): void
  /** Puts it before everybody else. */
  unshift(sequence: Sequence, request: InferRequest): void
  /** Takes the first request out of the line. */
  shift(sequence: Sequence): InferRequest
  /** The sequence takes no request any more; its slot is free when its last one is answered. */
  end(sequence: Sequence): void
  /** Drops what waits in the sequence's line up to the next START, or ends it where there is none. */
  drop(sequence: Sequence): void
  /** Refuses backlogged sequences that waited for too long and ends idle ones. */
  expire(nowNs: number): void
}

export interface SequenceTableOptions {
  readonly clock: Clock
  readonly stats: ModelStats
  readonly controls: SequenceControls
  readonly slots: () => SequenceSlots
  /** Nanoseconds; 0 = a sequence may be idle for ever. */
  readonly idleNs: number
  /** `nextNs` may have changed. */
  readonly onDeadline: () => void
  /** Requests were answered here. */
  readonly onAnswered: () => void
}

export function createSequenceTable(options: SequenceTableOptions): SequenceTable {
  const { clock, stats } = options
  const byKey = new Map<SequenceKey, Sequence>()
  let waitingCount = 0

  const pool = createWaitingPool({
    onCancel(waiting) {
      const sequence = waiting.line as Sequence
      // Nothing of a sequence in the backlog has run: none of it is wanted without this request.
      cut(sequence, sequence.slot === null ? (sequence.head ?? waiting) : waiting)
    },
  })
  const leave = (waiting: Waiting): InferRequest => {
    const request = waiting.request as InferRequest
    backlog.forget(waiting)
    waiting.line?.remove(waiting)
    pool.give(waiting)
    waitingCount--
    return request
  }
  const end = (sequence: Sequence): void => {
    if (byKey.get(sequence.key) === sequence) byKey.delete(sequence.key)
    sequence.open = false
    idle.remove(sequence)
    if (sequence.running === null && sequence.size === 0) release(sequence)
  }
  const release = (sequence: Sequence): void => {
    const { slot } = sequence
    backlog.remove(sequence)
    if (slot === null) return
    sequence.slot = null
    slot.sequence = null
    const next = backlog.shift()
    if (next === undefined) options.slots().give(slot)
    else assign(next, slot)
  }
  const assign = (sequence: Sequence, slot: SequenceSlot): void => {
    sequence.slot = slot
    slot.sequence = sequence
    if (sequence.open) {
      idle.add(sequence, clock.now())
      options.onDeadline()
    }
    if (sequence.size > 0) slot.lane.wake(slot)
  }
  /** Answers CANCELLED to `from` and to what follows in its line, up to the next START, which begins anew. */
  const cut = (sequence: Sequence, from: Waiting): void => {
    const gone: InferRequest[] = []
    let at: Waiting | null = from
    while (at !== null && (at === from || at.request?.sequenceStart !== true)) {
      const next: Waiting | null = at.next
      gone.push(leave(at))
      at = next
    }
    if (at === null) end(sequence)
    const nowNs = clock.now()
    for (const request of gone) {
      refuse({ request, error: cancelled(), reason: 'CANCELED', stats, nowNs })
    }
    options.onAnswered()
  }
  const backlog = createSequenceBacklog({ stats, leave, end })
  const idle = createSequenceIdle({ idleNs: options.idleNs, onIdle: end })

  return {
    get waiting() {
      return waitingCount
    },
    get backlog() {
      return backlog.size
    },
    get open() {
      return byKey.size
    },
    get nextNs() {
      const idleNs = idle.nextNs
      const backlogNs = backlog.nextNs
      return idleNs === 0 || (backlogNs !== 0 && backlogNs < idleNs) ? backlogNs : idleNs
    },
    find: (key) => byKey.get(key),
    start(key, id) {
      const sequence = new Sequence(key, options.controls.idTensor(id))
      byKey.set(key, sequence)
      const slot = options.slots().take()
      if (slot === null) backlog.push(sequence)
      else assign(sequence, slot)
      return sequence
    },
    push(sequence, request, nowNs) {
      const waiting = pool.take(request)
      sequence.push(waiting)
      waitingCount++
      sequence.touchedNs = nowNs
      if (request.sequenceEnd) end(sequence)
      const { slot } = sequence
      if (slot !== null) slot.lane.wake(slot)
      else {
        backlog.watch(waiting, nowNs)
        options.onDeadline()
      }
    },
    unshift(sequence, request) {
      sequence.unshift(pool.take(request))
      waitingCount++
      if (sequence.slot !== null) sequence.slot.lane.wake(sequence.slot)
    },
    shift: (sequence) => leave(sequence.head as Waiting),
    end,
    drop(sequence) {
      const { head } = sequence
      if (head === null) end(sequence)
      else if (head.request?.sequenceStart !== true) cut(sequence, head)
    },
    expire(nowNs) {
      idle.expire(nowNs)
      backlog.expire(nowNs)
    },
  }
}
