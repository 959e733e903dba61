import { CATEGORY_OF, type Operation } from '../operations.ts'
import type { Gate, Gates } from './types.ts'

/** The gate that requests for `operation` come in by. */
export function gateOf(gates: Gates, operation: Operation): Gate {
  const category = CATEGORY_OF[operation]
  if (category === 'inference') return gates.inference
  return category === 'health' ? gates.probes : gates.control
}
