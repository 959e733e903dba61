import type { InferRequest } from '../infer.ts'

/** Decides when and with whom a request runs. One per loaded model version. */
export interface Scheduler {
  /** Takes a checked request. Never throws: what cannot be queued is answered through the request. */
  submit(request: InferRequest): void
  /** Requests that wait for execution now (`nv_inference_pending_request_count`). */
  readonly pending: number
  /** Sequences that began and did not end; absent = it knows of none. */
  readonly openSequences?: number
  /** Waits until everything taken was answered, then stops its timers. Idempotent. Nothing may be submitted after. */
  close(): Promise<void>
}
