import type { ErrorCode } from '../../core/errors.ts'
import type { ForestFormat } from '../../core/trees/read-forest.ts'
import type { Forest } from '../../core/trees/types.ts'

/** What the thread that reads a forest is started with. */
export interface ForestTask {
  readonly format: ForestFormat
  readonly bytes: Uint8Array
}

/** The one thing it says before it ends. */
export type ForestReply =
  | { readonly forest: Forest }
  | { readonly code: ErrorCode; readonly message: string }
