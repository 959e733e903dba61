import type { Access } from '../../core/access/types.ts'
import type { Log } from '../../core/platform.ts'
import type { InferMemo } from '../../core/protocol/grpc/infer-memo.ts'
import type { OnDemand } from '../../core/server-types.ts'
import type { Tracer } from '../../core/trace/types.ts'
import type { Deadlines } from './deadlines.ts'
import type { ReaderOptions } from './message-reader.ts'
import type { Responses } from './responses.ts'

/** What all calls of a server share. */
export interface Service {
  readonly access: Access | undefined
  readonly log: Log
  /** Absent = calls are not told of. */
  readonly verbose: (() => boolean) | undefined
  /** Calls that were told of. */
  opened: number
  readonly deadlines: Deadlines
  /** Absent = what is there is loaded. */
  readonly onDemand: OnDemand | undefined
  /** Absent = nothing is traced. */
  readonly tracer: Tracer | undefined
  readonly memo: InferMemo
  readonly reader: ReaderOptions
  readonly responses: Responses
  /** Streams that are open: they are told when the server closes. */
  readonly streams: Set<{ drain(): void }>
  /** The shutdown began: no more inference. */
  closing: boolean
}
