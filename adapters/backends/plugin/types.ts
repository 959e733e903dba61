import type { Backend } from '../../../core/backend/types.ts'
import type { ErrorCode } from '../../../core/errors.ts'
import type { Clock, Log } from '../../../core/platform.ts'

export type * from '../../../core/backend/types.ts'
export type {
  ConfigDatatype,
  ModelConfig,
  ModelInput,
  ModelOutput,
} from '../../../core/config/types.ts'
export type { ErrorCode, ServerError } from '../../../core/errors.ts'
export type { InferRequest, InferResponse, Parameters } from '../../../core/infer.ts'
export type { Clock, Log, ModelStore, StoreEntry, StoreStat } from '../../../core/platform.ts'
export type { Datatype, Tensor } from '../../../core/tensor.ts'

/** Makes errors of which clients get code and message. */
export type ErrorClass = new (
  code: ErrorCode,
  message: string,
  options?: { readonly cause?: unknown; readonly retryAfterSecs?: number },
) => import('../../../core/errors.ts').ServerError

/** What a plug-in gets of the server it runs in: it has to import nothing of it but types. */
export interface PluginContext {
  /** The backend's name, as the model's config has it. */
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  /**
   * An error of any other kind is answered as INTERNAL with its message, or with its `code` where that is one of the eight.
   */
  readonly ServerError: ErrorClass
  /** BYTES elements as a tensor carries them: `uint32` little-endian length, then the bytes, one after another. */
  packBytes(elements: readonly Uint8Array[]): Uint8Array
  /** Views on the elements of packed BYTES data. Throws INVALID_ARG for what is none. */
  unpackBytes(data: Uint8Array): Uint8Array[]
}

/**
 * What a plug-in's module exports, as `backend` or as its default. Called when the first model names the backend, and
 * again when one does after the last was unloaded and the backend closed.
 */
export type PluginFactory = (context: PluginContext) => Backend | Promise<Backend>
