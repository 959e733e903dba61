import { withForwarded } from '../../core/access/forward-headers.ts'
import type { Principal } from '../../core/access/types.ts'
import type { InferRequest, Parameters } from '../../core/infer.ts'

/** What the connection adds to a request: forwarded metadata, and the bounds of who sent it. */
export function tailorRequest(
  request: InferRequest,
  principal: Principal,
  forwarded: Parameters | null,
): void {
  if (forwarded !== null) request.parameters = withForwarded(request.parameters, forwarded)
  request.owner = principal.id
  const floor = principal.priorityFloor ?? 0
  if (floor > 0 && request.priority < floor) request.priority = floor
}
