import type { Parameters } from '../infer.ts'
import { withForwarded } from './forward-headers.ts'
import type { Principal } from './types.ts'

/** What of an infer request depends on who sends it. */
export interface Tailored {
  parameters: Parameters | null
  priority: number
  owner: string
}

/** Adds forwarded headers to a request and puts it into the bounds, and under the name, of who sent it. */
export function tailorRequest(
  request: Tailored,
  principal: Principal,
  forwarded: Parameters | null,
): void {
  if (forwarded !== null) request.parameters = withForwarded(request.parameters, forwarded)
  const floor = principal.priorityFloor ?? 0
  if (request.priority < floor) request.priority = floor
  request.owner = principal.id
}
