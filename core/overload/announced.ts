import type { ServerError } from '../errors.ts'
import type { Gate } from './types.ts'

/** Of a body that has only been announced this much is counted at first; the rest as it comes. */
export const ANNOUNCED_BYTES: number = 1024 * 1024

/** What is held of a body of `bytes` before it comes. */
export function heldAtFirst(bytes: number): number {
  return Math.min(bytes, ANNOUNCED_BYTES)
}

/**
 * Enters with a body of `bytes` that has yet to come and holds {@link heldAtFirst} of them: one that does not fit now is
 * refused before it comes, but whoever only announces one takes the room from nobody.
 */
export function enterAnnounced(gate: Gate, bytes: number): ServerError | null {
  const held = heldAtFirst(bytes)
  const refusal = gate.enter(bytes)
  if (refusal !== null || held === bytes) return refusal
  gate.leave(bytes)
  return gate.enter(held)
}

/** How many more bytes to count when `come` of the `announced` ones are there and `held` are counted; 0 = none. */
export function growth(announced: number, held: number, come: number): number {
  return come <= held ? 0 : Math.min(announced, Math.max(come, held * 2)) - held
}
