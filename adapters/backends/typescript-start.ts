import type { Placement } from '../../core/backend/types.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Clock } from '../../core/platform.ts'
import type { TypescriptSettings } from './typescript-options.ts'
import type { ModelCode } from './typescript-source.ts'
import { ModelThread, type WorkerEntry } from './typescript-thread.ts'

/** What every thread of a model is started from. */
export interface ThreadSource {
  readonly name: string
  readonly version: number
  readonly code: ModelCode
  readonly settings: TypescriptSettings
  readonly entry: WorkerEntry
  readonly clock: Clock
}

/** A thread with the module imported, and the config that the module has (JSON). Throws the reason. */
export async function openThread(
  source: ThreadSource,
  config: ModelConfig,
  signal?: AbortSignal,
): Promise<{ readonly thread: ModelThread; readonly config: string | null }> {
  const { name, code, settings, entry, clock } = source
  const { initializeTimeoutMs, memoryLimitMb } = settings
  const thread = new ModelThread({ entry, memoryMb: memoryLimitMb, clock })
  try {
    const message = { kind: 'open', url: code.url, config: JSON.stringify(config) } as const
    const what = `model '${name}' cannot be opened`
    const reply = await thread.ask(message, what, initializeTimeoutMs, signal)
    if (reply.kind === 'opened') return { thread, config: reply.config }
    throw new ServerError('INTERNAL', `unexpected reply '${reply.kind}'`)
  } catch (error) {
    await thread.close()
    throw error
  }
}

/** Has the module initialize itself as one instance. The thread is closed where it cannot. Throws the reason. */
export async function startThread(
  thread: ModelThread,
  source: ThreadSource,
  placement: Placement,
  config: ModelConfig,
): Promise<void> {
  const { name, version, settings } = source
  const what = `model '${name}' cannot be initialized`
  const instance = placement.name
  const message = {
    kind: 'start',
    name,
    version,
    instance,
    config: JSON.stringify(config),
  } as const
  try {
    await thread.ask(message, what, settings.initializeTimeoutMs)
  } catch (error) {
    await thread.close()
    throw error
  }
}
