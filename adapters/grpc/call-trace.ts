import type { InferRequest } from '../../core/infer.ts'
import type { Trace, Tracer } from '../../core/trace/types.ts'
import type { CallHead } from './call-head.ts'

/** The trace of a request that is about to be submitted and was waited for since `waitNs`; null = it is not sampled. */
export function sampleCall(
  tracer: Tracer,
  request: InferRequest,
  model: string,
  head: CallHead,
  waitNs: number,
): Trace | null {
  const trace = tracer.sample(model, head.caller.header)
  if (trace === null) return null
  request.trace = trace.request
  trace.mark('GRPC_WAITREAD_START', waitNs)
  trace.mark('GRPC_WAITREAD_END', tracer.now())
  return trace
}

/** The answer, if there is one, was handed to the connection. */
export function sentCall(tracer: Tracer, trace: Trace): void {
  trace.mark('GRPC_SEND_END', tracer.now())
  trace.close()
}
