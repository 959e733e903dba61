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

  const onIdle = (runner: Runner): void => {
    idle.push(runner)
    if (!dispatching) dispatch()
    drain.check()
  }
  const dispatch = (): void => {
    dispatching = true
    let runs = 0
    while (line.head !== null && idle.length > 0) {
      if (++runs > MAX_RUNS_PER_TURN) {
        if (!turning) clock.nextTurn(onTurn)
        turning = true
        break
      }
      const waiting = line.head
      const request = waiting.request as InferRequest
      line.remove(waiting)
      pool.give(waiting)
      const runner = idle.pop() as Runner
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
    empty: () => line.size === 0 && idle.length === runners.length && allAnswered(runners),
  })
  const runners = parts.createRunners({ onIdle, onAnswered: () => drain.check(), ordered: null })
  idle.push(...runners)

  return {
    get pending() {
      return line.size
    },
    submit(request) {
      const nowNs = clock.now()
      if (!admit(request, nowNs, drain.draining, stats)) return
      if (dispatching || idle.length === 0 || line.head !== null) {
        line.push(pool.take(request))
        return
      }
      dispatching = true
      const runner = idle.pop() as Runner
      runner.runOne(request, nowNs)
      dispatching = false
      if (line.head !== null) dispatch()
    },
    close: () => drain.close(),
  }
}
