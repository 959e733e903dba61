import type { ModelIo } from '../../core/backend/types.ts'
import type { Datatype } from '../../core/tensor.ts'

/** Options of `InferenceSession.create` that a config leads to. */
export interface NodeSessionOptions {
  readonly graphOptimizationLevel: 'disabled' | 'basic' | 'extended' | 'all'
  readonly executionMode: 'sequential' | 'parallel'
  readonly intraOpNumThreads?: number
  readonly interOpNumThreads?: number
  readonly enableCpuMemArena?: boolean
  readonly enableMemPattern?: boolean
}

/** A tensor on its way to or from a worker. The buffer is transferred, not copied; strings travel packed. */
export interface WireTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly buffer: ArrayBuffer
}

/** Runs one model, one batch at a time. */
export interface OnnxRunner {
  run(inputs: readonly WireTensor[], outputs: readonly string[]): Promise<readonly WireTensor[]>
  close(): Promise<void>
}

/** To the worker. */
export type NodeRequest =
  | {
      readonly kind: 'open'
      readonly model: string | Uint8Array
      readonly options: NodeSessionOptions
    }
  | {
      readonly kind: 'run'
      readonly inputs: readonly WireTensor[]
      readonly outputs: readonly string[]
    }

/** From the worker, one per request, in order. */
export type NodeReply =
  | { readonly kind: 'opened'; readonly io: ModelIo }
  | { readonly kind: 'ran'; readonly outputs: readonly WireTensor[] }
  | { readonly kind: 'failed'; readonly message: string }
