import type { Batch, BatchResult, ExecutionMarks } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { Clock } from '../platform.ts'
import type { RateResource } from '../server-options.ts'
import { Resources, smallestCounts } from './resources.ts'
import { type Desk, Seat } from './seat.ts'
import { Turn } from './turn.ts'
import type { RateLimiter } from './types.ts'

/** Batches that start in one turn of the event loop before it goes on: instances that run inline would hold it. */
export const MAX_STARTS_PER_TURN = 64

/**
 * Triton's `--rate-limit=execution_count`. Of the batches that wait, the one whose instance has run least often (times its
 * priority) goes first; it runs when everything its instance needs is free. What a batch waits for is kept for it, but one
 * that needs nothing of that goes past it. An instance that joins is taken to have run as often as the one that ran least.
 */
export function createRateLimiter(options: {
  readonly clock: Clock
  /** Empty = there is as much of each resource as the instance that needs most of it. */
  readonly resources: readonly RateResource[]
}): RateLimiter {
  const { clock } = options
  const resources = new Resources(smallestCounts(options.resources))
  const turns = new Set<Turn>()
  /** By what their instances have spent, then by when they came. */
  const waiting: Turn[] = []
  let starting = false
  let turning = false

  const start = (): void => {
    if (starting) return
    starting = true
    let starts = 0
    while (startOne()) {
      if (++starts < MAX_STARTS_PER_TURN) continue
      if (!turning) clock.nextTurn(onTurn)
      turning = true
      break
    }
    starting = false
  }
  const onTurn = (): void => {
    turning = false
    start()
  }
  const startOne = (): boolean => {
    if (turning) return false
    resources.begin()
    for (let i = 0; i < waiting.length; i++) {
      const turn = waiting[i] as Turn
      if (!resources.take(turn.needs)) continue
      waiting.splice(i, 1)
      run(turn)
      return true
    }
    return false
  }
  const run = (turn: Turn): void => {
    const seat = turn.seat as Seat
    const marks = seat.marks as ExecutionMarks
    turn.running = true
    marks.startNs = clock.now()
    try {
      turn.instance.execute(seat.batch as Batch, marks, turn.onDone, seat.answers)
    } catch (error) {
      onDone(turn, ServerError.from(error))
    }
  }
  const onDone = (turn: Turn, result: BatchResult | ServerError): void => {
    const { seat } = turn
    if (seat === null || !turn.running) return
    turn.running = false
    turn.seat = null
    turn.spent += turn.priority
    resources.give(turn.needs)
    seat.finish(result)
    start()
  }
  const leastSpent = (some: Iterable<Turn>): Turn | null => {
    let least: Turn | null = null
    for (const turn of some) {
      if (turn.seat === null && !turn.closed && (least === null || turn.spent < least.spent)) {
        least = turn
      }
    }
    return least
  }
  const desk: Desk = {
    wait(seat) {
      const turn = leastSpent(seat.crew)
      if (turn === null) {
        seat.finish(new ServerError('INTERNAL', 'the model has no instance that is free'))
        return
      }
      turn.seat = seat
      seat.turn = turn
      let at = waiting.length
      while (at > 0 && (waiting[at - 1] as Turn).spent > turn.spent) at--
      waiting.splice(at, 0, turn)
      start()
    },
    leave(seat) {
      const at = seat.turn === null ? -1 : waiting.indexOf(seat.turn)
      if (at < 0) return false
      const [turn] = waiting.splice(at, 1)
      if (turn !== undefined) turn.seat = null
      // What was kept for it is free for others.
      clock.nextTurn(start)
      return true
    },
    close(turn) {
      if (!turn.closed) {
        turn.closed = true
        turns.delete(turn)
        resources.remove(turn.needs)
        start()
      }
      return turn.instance.close()
    },
  }
  return {
    seats(members, bound) {
      let spent = Number.POSITIVE_INFINITY
      for (const turn of turns) spent = Math.min(spent, turn.spent)
      if (spent === Number.POSITIVE_INFINITY) spent = 0
      const crew: Turn[] = []
      try {
        for (const { instance, device, limits } of members) {
          const needs = resources.add(limits, device)
          const priority = Math.max(1, limits?.priority ?? 1)
          crew.push(new Turn({ instance, needs, priority, spent, onDone }))
        }
      } catch (error) {
        for (const turn of crew) resources.remove(turn.needs)
        throw error
      }
      for (const turn of crew) turns.add(turn)
      return crew.map((own) => new Seat({ desk, own, bound, crew }))
    },
  }
}
