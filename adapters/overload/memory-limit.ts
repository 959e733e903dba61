import { totalmem } from 'node:os'

/**
 * Bytes of memory this process can use: the limit of its control group (v1 or v2), or what the machine has where that is
 * less or there is none.
 */
export function memoryLimit(
  constrained: number = process.constrainedMemory(),
  machine: number = totalmem(),
): number {
  // 0 = unknown; a group without a limit has an absurdly large one.
  return constrained > 0 ? Math.min(constrained, machine) : machine
}
