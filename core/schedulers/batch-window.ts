import { messageOf } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { admit } from './admission.ts'
import { createAlarm } from './alarm.ts'
import { createBatchFormer } from './batch-former.ts'
import { MAX_RUNS_PER_TURN } from './direct.ts'
import { createDrain } from './drain.ts'
import { allAnswered, type Runner } from './execute.ts'
import { createOrderedAnswers } from './ordered-answers.ts'
import type { SchedulerParts } from './parts.ts'
import { createPriorityQueue } from './priority-queue.ts'
import { createQueuePolicies } from './queue-policy.ts'
import { cancelled, queueFull, refuse, timeoutExpired } from './refusal.ts'
import type { Scheduler } from './types.ts'

/**
 * Triton's dynamic batcher. Batches form when an instance is free and the window is closed, at the end of the turn of the
 * event loop in which requests arrive, so that those which arrive together run together. One timer at most: for the
 * window's end or the earliest deadline, whichever comes first.
 */
export function createBatchWindow(parts: SchedulerParts): Scheduler {
  const { clock, stats, log, config } = parts
  const batching = config.dynamic_batching ?? {}
  const former = createBatchFormer(config)
  const idle: Runner[] = []
  let wanted = parts.delayUntilQueued ?? 0
  let dispatching = false
  let turning = false
  /** While a window is open: fewer waiting rows than this change nothing. */
  let wakeRows = 0
  let closesNs = 0

  const queue = createPriorityQueue({
    policies: createQueuePolicies(batching),
    onCancelled(request) {
      const nowNs = clock.now()
      refuse({ request, error: cancelled(), reason: 'CANCELED', stats, nowNs })
      drain.check()
    },
    onExpired(request) {
      const nowNs = clock.now()
      refuse({ request, error: timeoutExpired(), reason: 'REJECTED', stats, nowNs })
    },
  })
  const ordered =
    batching.preserve_ordering === true
      ? createOrderedAnswers({
          send(request, answer, final) {
            try {
              request.respond(answer, final)
            } catch (error) {
              log.error(`model '${parts.modelName}': an answer was not taken: ${messageOf(error)}`)
            }
          },
        })
      : null

  const dispatch = (): void => {
    if (dispatching) return
    dispatching = true
    wakeRows = 0
    closesNs = 0
    let runs = 0
    for (;;) {
      const nowNs = clock.now()
      queue.expire(nowNs)
      if (queue.size === 0 || idle.length === 0 || queue.size < wanted) break
      wanted = 0
      const decision = former.decide(queue, nowNs, drain.draining)
      if (decision.count === 0) {
        wakeRows = decision.wakeRows
        closesNs = decision.closesNs
        break
      }
      if (++runs > MAX_RUNS_PER_TURN) {
        wake()
        break
      }
      const runner = idle.pop() as Runner
      if (decision.count === 1) runner.runOne(queue.shift() as InferRequest, nowNs)
      else runner.run(takeFirst(decision.count), decision.rows, nowNs)
    }
    dispatching = false
    setAlarm()
    drain.check()
  }
  const takeFirst = (count: number): InferRequest[] => {
    const requests: InferRequest[] = []
    for (let i = 0; i < count; i++) requests.push(queue.shift() as InferRequest)
    return requests
  }
  const setAlarm = (): void => {
    const deadlineNs = queue.nextDeadlineNs
    // A deadline is missed when it lies in the past, not when it is now.
    const expiryNs = deadlineNs === 0 ? 0 : deadlineNs + 1
    alarm.set(closesNs !== 0 && (expiryNs === 0 || closesNs < expiryNs) ? closesNs : expiryNs)
  }
  const wake = (): void => {
    if (turning) return
    turning = true
    clock.nextTurn(onTurn)
  }
  const onTurn = (): void => {
    turning = false
    dispatch()
  }
  const alarm = createAlarm({ clock, onRing: dispatch })
  const drain = createDrain({
    empty: () => queue.size === 0 && idle.length === runners.length && allAnswered(runners),
    onStart() {
      wanted = 0
      dispatch()
    },
  })
  const runners = parts.createRunners({
    ordered,
    onAnswered: () => drain.check(),
    onIdle(runner) {
      idle.push(runner)
      dispatch()
      drain.check()
    },
  })
  idle.push(...runners)

  return {
    get pending() {
      return queue.size
    },
    submit(request) {
      const nowNs = clock.now()
      if (!admit(request, nowNs, drain.draining, stats)) return
      if (!queue.push(request, nowNs)) {
        // Those who only wait for the end of this turn do not fill the queue of a free instance.
        dispatch()
        if (!queue.push(request, nowNs)) {
          refuse({ request, error: queueFull(request), reason: 'REJECTED', stats, nowNs })
          return
        }
      }
      if (idle.length > 0 && queue.size >= wanted && queue.rows >= wakeRows) wake()
      else if (queue.nextDeadlineNs !== 0) setAlarm()
    },
    close: () => drain.close(),
  }
}
