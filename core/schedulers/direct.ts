import type { InferRequest } from '../infer.ts'
import { admit } from './admission.ts'
import { createDrain } from './drain.ts'
import { allAnswered, type Runner } from './execute.ts'
import type { SchedulerParts } from './parts.ts'
import { cancelled, refuse } from './refusal.ts'
import type { Scheduler } from './types.ts'
import { createWaitingPool, WaitingLine } from './waiting.ts'

/**
 * Executions that one dispatch starts before it lets the event loop turn: instances that run inline would otherwise hold it
 * for as long as anything waits.
 */
export const MAX_RUNS_PER_TURN = 64

/** Triton's default scheduler: each request runs alone, first come first served, on whichever instance is free. */
export function createDirectScheduler(parts: SchedulerParts): Scheduler {
  const { clock, stats } = parts
  const line = new WaitingLine()
  const idle: Runner[] = []
  /** Those of `idle` for batches ahead, which nobody asks while an instance has nothing to do. */
  const idleAhead: Runner[] = []
  const pool = createWaitingPool({
    onCancel(waiting) {
      const request = waiting.request as InferRequest
      line.remove(waiting)
      pool.give(waiting)
      const nowNs = clock.now()
      refuse({ request, error: cancelled(), reason: 'CANCELED', stats, nowNs })
      drain.check()
    },
  })
  let dispatching = false
  let turning = false

  const idleOf =
    (list: Runner[]) =>
    (runner: Runner): void => {
      list.push(runner)
      if (!dispatching) dispatch()
      drain.check()
    }
  const take = (): Runner | null => {
    if (idle.length > 0) return idle.pop() as Runner
    return idleAhead.at(-1)?.ready === true ? (idleAhead.pop() as Runner) : null
  }
  const dispatch = (): void => {
    dispatching = true
    let runs = 0
    while (line.head !== null) {
      if (++runs > MAX_RUNS_PER_TURN) {
        if (!turning) clock.nextTurn(onTurn)
        turning = true
        break
      }
      const runner = take()
      if (runner === null) break
      const waiting = line.head
      const request = waiting.request as InferRequest
      line.remove(waiting)
      pool.give(waiting)
      runner.runOne(request, clock.now())
    }
    dispatching = false
  }
  const onTurn = (): void => {
    turning = false
    if (!dispatching) dispatch()
    drain.check()
  }
  const drain = createDrain({
    empty: () =>
      line.size === 0 &&
      idle.length === runners.length &&
      idleAhead.length === ahead.length &&
      allAnswered(runners),
  })
  const onAnswered = (): void => drain.check()
  const runners = parts.createRunners({ onIdle: idleOf(idle), onAnswered, ordered: null })
  const ahead = parts.createRunnersAhead({ onIdle: idleOf(idleAhead), onAnswered, ordered: null })
  idle.push(...runners)
  idleAhead.push(...ahead)

  return {
    get pending() {
      return line.size
    },
    submit(request) {
      const nowNs = clock.now()
      if (!admit(request, nowNs, drain.draining, stats)) return
      const runner = dispatching || line.head !== null ? null : take()
      if (runner === null) {
        line.push(pool.take(request))
        return
      }
      dispatching = true
      runner.runOne(request, nowNs)
      dispatching = false
      if (line.head !== null) dispatch()
    },
    close: () => drain.close(),
  }
}
