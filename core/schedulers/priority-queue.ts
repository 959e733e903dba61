import type { InferRequest } from '../infer.ts'
import { DeadlineHeap } from './deadline-heap.ts'
import { deadlineOf, type LevelPolicy, type QueuePolicies } from './queue-policy.ts'
import { createWaitingPool, type Waiting, WaitingLine } from './waiting.ts'

/** Empty levels kept for reuse; beyond this an empty level is forgotten, however many a config allows. */
export const MAX_KEPT_LEVELS = 64

interface Level {
  readonly level: number
  readonly policy: LevelPolicy
  readonly waiting: WaitingLine
  /** Requests whose deadline passed under DELAY; behind `waiting`, before the next level. */
  readonly delayed: WaitingLine
}

export interface PriorityQueueOptions {
  readonly policies: QueuePolicies
  /** A queued request was cancelled; it has left the queue. */
  readonly onCancelled: (request: InferRequest) => void
  /** A queued request's time is over under REJECT; it has left the queue. */
  readonly onExpired: (request: InferRequest) => void
}

export interface PriorityQueue {
  /** Requests that wait. */
  readonly size: number
  /** Rows that wait. */
  readonly rows: number
  /** Earliest deadline of a waiting request; 0 = none. */
  readonly nextDeadlineNs: number
  /** False when the request's level is full. */
  push(request: InferRequest, nowNs: number): boolean
  /** Rejects or moves back every request whose deadline lies before `nowNs`. */
  expire(nowNs: number): void
  /** Visits requests in the order in which they leave, until `visit` returns false. `visit` may not change the queue. */
  scan(visit: (request: InferRequest) => boolean): void
  /** The first request, taken out; undefined when empty. */
  shift(): InferRequest | undefined
}

/** Levels in order of priority, each a line of the waiting and a line of the delayed behind it. */
export function createPriorityQueue(options: PriorityQueueOptions): PriorityQueue {
  const { policies } = options
  const byNumber = new Map<number, Level>()
  const levels: Level[] = []
  const deadlines = new DeadlineHeap()
  let size = 0
  let rows = 0

  const pool = createWaitingPool({
    onCancel(waiting) {
      const request = leave(waiting)
      options.onCancelled(request)
    },
  })
  const leave = (waiting: Waiting): InferRequest => {
    const request = waiting.request as InferRequest
    deadlines.remove(waiting)
    waiting.line?.remove(waiting)
    pool.give(waiting)
    size--
    rows -= request.batchSize
    return request
  }
  const levelAt = (number: number): Level => {
    const known = byNumber.get(number)
    if (known !== undefined) return known
    const level: Level = {
      level: number,
      policy: policies.policyOf(number),
      waiting: new WaitingLine(),
      delayed: new WaitingLine(),
    }
    if (levels.length >= MAX_KEPT_LEVELS) forgetEmpty()
    byNumber.set(number, level)
    let at = levels.length
    while (at > 0 && (levels[at - 1] as Level).level > number) at--
    levels.splice(at, 0, level)
    return level
  }
  const forgetEmpty = (): void => {
    let kept = 0
    for (const level of levels) {
      if (level.waiting.size + level.delayed.size > 0) levels[kept++] = level
      else byNumber.delete(level.level)
    }
    levels.length = kept
  }

  return {
    get size() {
      return size
    },
    get rows() {
      return rows
    },
    get nextDeadlineNs() {
      return deadlines.peek()?.deadlineNs ?? 0
    },
    push(request, nowNs) {
      const level = levelAt(policies.levelOf(request))
      const { maxQueueSize } = level.policy
      if (maxQueueSize > 0 && level.waiting.size + level.delayed.size >= maxQueueSize) return false
      const waiting = pool.take(request)
      level.waiting.push(waiting)
      const deadlineNs = deadlineOf(level.policy, request, nowNs)
      if (deadlineNs > 0) {
        waiting.deadlineNs = deadlineNs
        deadlines.add(waiting)
      }
      size++
      rows += request.batchSize
      return true
    },
    expire(nowNs) {
      for (
        let due = deadlines.peek();
        due !== undefined && due.deadlineNs < nowNs;
        due = deadlines.peek()
      ) {
        const level = levelAt(policies.levelOf(due.request as InferRequest))
        if (level.policy.timeoutAction === 'REJECT') {
          options.onExpired(leave(due))
          continue
        }
        deadlines.remove(due)
        due.deadlineNs = 0
        level.waiting.remove(due)
        level.delayed.push(due)
      }
    },
    scan(visit) {
      for (const level of levels) {
        for (let at = level.waiting.head; at !== null; at = at.next) {
          if (!visit(at.request as InferRequest)) return
        }
        for (let at = level.delayed.head; at !== null; at = at.next) {
          if (!visit(at.request as InferRequest)) return
        }
      }
    },
    shift() {
      for (const level of levels) {
        const first = level.waiting.head ?? level.delayed.head
        if (first !== null) return leave(first)
      }
      return undefined
    },
  }
}
