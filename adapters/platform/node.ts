import { hash } from 'node:crypto'
import type { ServerLog } from '../../core/log.ts'
import type { Clock, Hash, Platform } from '../../core/platform.ts'
import { nodeClock } from './clock.ts'
import { type NodeLogOptions, nodeLog } from './log.ts'

export interface NodePlatform extends Platform {
  readonly clock: Clock
  readonly log: ServerLog
  readonly hash: Hash
  /** Closes the log file. Idempotent. */
  close(): void
}

/** One call: an object for each request would cost as much again as the hash. `binary` is a character per byte. */
const sha256: Hash = (data) => hash('sha256', data, 'binary')

/** Clock, log and digest of a Node process. */
export function nodePlatform(options: NodeLogOptions = {}): NodePlatform {
  const { log, close } = nodeLog(options)
  return { clock: nodeClock(), log, hash: sha256, close }
}
