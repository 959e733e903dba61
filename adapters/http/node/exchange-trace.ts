import type { ServerResponse } from 'node:http'
import type { InferRequest } from '../../../core/infer.ts'
import type { Trace, Tracer } from '../../../core/trace/types.ts'

/** The trace of a request that is about to be submitted, whose head came at `headNs`; null = it is not sampled. */
export function sampleExchange(
  tracer: Tracer,
  request: InferRequest,
  model: string,
  fields: readonly string[],
  headNs: number,
): Trace | null {
  const trace = tracer.sample(model, (name) => fieldOf(fields, name))
  if (trace === null) return null
  request.trace = trace.request
  trace.mark('HTTP_RECV_START', headNs)
  trace.mark('HTTP_RECV_END', tracer.now())
  return trace
}

/** The reply is about to be written: the trace ends with it, whichever way that goes. */
export function sending(tracer: Tracer, trace: Trace, response: ServerResponse): void {
  trace.mark('HTTP_SEND_START', tracer.now())
  const sent = (): void => {
    trace.mark('HTTP_SEND_END', tracer.now())
    trace.close()
  }
  if (response.destroyed) sent()
  else response.once('close', sent)
}

/** The value of a field of a header that was sent as name, value, …; `name` is in lower case. */
function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() === name) return fields[i + 1]
  }
  return undefined
}
