import type { Operation } from '../operations.ts'
import type { OnDemand } from '../server-types.ts'

/** What needs the model itself. Whether it is ready can be told without it, and nobody's probe should load it. */
const NEED_MODEL: ReadonlySet<Operation> = new Set<Operation>([
  'infer',
  'generate',
  'generate-stream',
  'model-metadata',
  'model-config',
])

export function needsModel(operation: Operation): boolean {
  return NEED_MODEL.has(operation)
}

/**
 * Runs `use` when `model` is loaded, which then stays until its outcome is known. Throws why it cannot be loaded. For `urgent` see
 * {@link OnDemand.bring}.
 */
export async function withModel<T>(
  onDemand: OnDemand,
  model: string,
  signal: AbortSignal | undefined,
  use: () => T | Promise<T>,
  urgent = false,
): Promise<T> {
  await onDemand.bring(model, signal, urgent)
  try {
    return await use()
  } finally {
    onDemand.leave(model)
  }
}
