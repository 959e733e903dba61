import type {
  Batch,
  BatchDone,
  DecoupledAnswers,
  ExecutionMarks,
  Instance,
  Placement,
} from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { InferRequest } from '../../../core/infer.ts'
import type { Message } from './messages.ts'
import type { BatchUser } from './worker-services.ts'
import { type OpenedWorker, type WorkerSource } from './worker-start.ts'
/** How long a batch waits for an instance that is being restarted, milliseconds: Python and its libraries take a while. */
export declare const RESTART_PATIENCE_MS = 10000
/** How long `finalize` may take, milliseconds. */
export declare const FINALIZE_TIMEOUT_MS = 5000
export interface PythonInstanceOptions {
  readonly source: WorkerSource
  readonly placement: Placement
  readonly config: ModelConfig
}
/** One instance of a model and the process it runs in, which is replaced when it ends. */
export declare class PythonInstance implements Instance, BatchUser {
  #private
  constructor(options: PythonInstanceOptions, opened: OpenedWorker)
  get ready(): boolean
  execute(
    batch: Batch,
    marks: ExecutionMarks,
    done: BatchDone,
    answers?: DecoupledAnswers | null,
  ): void
  terminate(): void
  cancelled(request: InferRequest): void
  close(): Promise<void>
  /** Throws for what cannot be read. */
  answered(message: Message): void
  requestOf(run: unknown, index: unknown): InferRequest | undefined
  /** The worker is of no more use: what it ran fails, and another one takes its place. */
  gone(reason: string): void
}
