import type { ServerLog } from '../../core/log.ts'
import type { Clock, Platform } from '../../core/platform.ts'
import { nodeClock } from './clock.ts'
import { type NodeLogOptions, nodeLog } from './log.ts'

export interface NodePlatform extends Platform {
  readonly clock: Clock
  readonly log: ServerLog
  /** Closes the log file. Idempotent. */
  close(): void
}

/** Clock and log of a Node process. */
export function nodePlatform(options: NodeLogOptions = {}): NodePlatform {
  const { log, close } = nodeLog(options)
  return { clock: nodeClock(), log, close }
}
