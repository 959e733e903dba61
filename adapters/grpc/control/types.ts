import type { Log } from '../../../core/platform.ts'
import type { InferenceServer, LogControl } from '../../../core/server-types.ts'
import type { SharedMemory } from '../../../core/shared-memory/types.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import type { CallContext } from '../types.ts'

/** What the control calls work on. */
export interface ControlContext {
  readonly server: InferenceServer
  readonly logControl: LogControl
  /** null = this target has no shared memory: there are no regions and clients may not register any. */
  readonly sharedMemory: SharedMemory | null
  readonly log: Log
  /** Absent = nothing is traced, and nothing can be. */
  readonly tracer?: Tracer | undefined
}

/**
 * Answers one call: a whole message in, a whole message out. `model` is the model that the call was authorized for; a
 * message that names another one is refused. Throws ServerError.
 */
export type Answer = (
  message: Uint8Array,
  model: string,
  context: ControlContext,
  call: CallContext,
) => Uint8Array | Promise<Uint8Array>

/** The methods of GRPCInferenceService that are answered through the generated messages. */
export type AnswerName =
  | 'ServerMetadata'
  | 'ModelMetadata'
  | 'ModelConfig'
  | 'ModelStatistics'
  | 'RepositoryIndex'
  | 'RepositoryModelLoad'
  | 'RepositoryModelUnload'
  | 'SystemSharedMemoryStatus'
  | 'SystemSharedMemoryRegister'
  | 'SystemSharedMemoryUnregister'
  | 'CudaSharedMemoryStatus'
  | 'CudaSharedMemoryRegister'
  | 'CudaSharedMemoryUnregister'
  | 'TraceSetting'
  | 'LogSettings'
