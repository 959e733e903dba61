import type { InferRequest } from '../infer.ts'
import type { ModelStats } from '../stats.ts'
import { cancelled, refuse, schedulerClosed } from './refusal.ts'

/** Notes when `request` came to its scheduler; where no front end said when it began, it begins now. */
export function enter(request: InferRequest, nowNs: number): void {
  request.queuedNs = nowNs
  if (request.startNs === 0) request.startNs = nowNs
}

/** {@link enter}s `request` and refuses one that came too late or was given up already; false = it was answered. */
export function admit(
  request: InferRequest,
  nowNs: number,
  draining: boolean,
  stats: ModelStats,
): boolean {
  enter(request, nowNs)
  if (draining) {
    refuse({ request, error: schedulerClosed(request), reason: 'REJECTED', stats, nowNs })
    return false
  }
  if (request.cancelled) {
    refuse({ request, error: cancelled(), reason: 'CANCELED', stats, nowNs })
    return false
  }
  return true
}
