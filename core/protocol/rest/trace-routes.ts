import type { InferenceServer } from '../../server-types.ts'
import { unknownModel } from '../../trace/setting-text.ts'
import type { Trace, Tracer } from '../../trace/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { traceSetting as withoutTracer } from './absent-features.ts'
import { jsonReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import { whenEnded } from './stream-end.ts'
import { parseTraceBody, traceSettingJson } from './trace-body.ts'
import type { RestRequest, RestResponse } from './types.ts'

interface TraceContext {
  readonly server: InferenceServer
  readonly limits: ProtocolLimits
  readonly tracer?: Tracer | undefined
}

/** `GET` and `POST` of `/v2/trace/setting` and of a model's. */
export async function traceSetting(
  context: TraceContext,
  params: RouteParams,
  request: RestRequest,
): Promise<RestResponse> {
  const { server, limits, tracer } = context
  if (tracer === undefined) return withoutTracer(context, params, request)
  const { model = '' } = params
  if (model !== '' && !server.modelReady(model, '')) throw unknownModel(model)
  if (request.method !== 'GET') {
    tracer.update(model, parseTraceBody(await request.body(), limits))
  }
  return jsonReply(traceSettingJson(tracer.settings(model), tracer.facts))
}

/**
 * Has `handle` answer with the trace of a request that is sampled, null for all others. An answer counts as sent when it is
 * made, a stream when it has ended.
 */
export async function traced(
  tracer: Tracer,
  model: string,
  request: RestRequest,
  handle: (request: RestRequest) => RestResponse | Promise<RestResponse>,
): Promise<RestResponse> {
  const startNs = tracer.now()
  const trace = tracer.sample(model, (name) => request.header(name))
  if (trace === null) return handle(request)
  trace.mark('HTTP_RECV_START', startNs)
  let reply: RestResponse | undefined
  try {
    reply = await handle({
      ...request,
      trace: trace.request,
      body: receiving(tracer, trace, request),
    })
  } finally {
    trace.mark('HTTP_SEND_START', tracer.now())
    if (reply?.stream === undefined) sent(tracer, trace)
  }
  if (reply.stream === undefined) return reply
  return { ...reply, stream: whenEnded(reply.stream, () => sent(tracer, trace)) }
}

function receiving(tracer: Tracer, trace: Trace, request: RestRequest): RestRequest['body'] {
  return async (hold) => {
    const body = await request.body(hold)
    trace.mark('HTTP_RECV_END', tracer.now())
    return body
  }
}

function sent(tracer: Tracer, trace: Trace): void {
  trace.mark('HTTP_SEND_END', tracer.now())
  trace.close()
}
