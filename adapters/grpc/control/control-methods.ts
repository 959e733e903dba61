import type { UnaryMethod } from '../types.ts'
import { answeredMethods } from './answered-method.ts'
import { healthMethods } from './health.ts'
import type { ControlContext } from './types.ts'

/**
 * Every unary method but inference: those of `inference.GRPCInferenceService` and `grpc.health.v1.Health/Check`. Health
 * calls cost a few bytes; the others load the generated messages with the first of them.
 */
export function controlMethods(context: ControlContext): readonly UnaryMethod[] {
  return [...healthMethods(context.server), ...answeredMethods(context)]
}

/** Loads what the first call of another method than health would wait for: 35 ms, measured. */
export async function loadControlMethods(): Promise<void> {
  await import('./answers.ts')
}
