import { ServerError } from '../../errors.ts'
import type { InferenceServer } from '../../server-types.ts'
import { invalid } from './json-value.ts'
import { jsonReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import type { RestResponse } from './types.ts'

/**
 * Routes of features this server does not have. Where nothing is the true answer, it is Triton's; where something would
 * have to happen, it is 501 with what is missing.
 */

const NO_TRACING =
  '{"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"","trace_mode":"triton"}'

interface AbsentContext {
  readonly server: InferenceServer
}

export function traceSetting(
  { server }: AbsentContext,
  { model }: RouteParams,
  request: { readonly method: string },
): RestResponse {
  if (model !== undefined && !server.modelReady(model, '')) {
    throw invalid(`Request for unknown model : ${model}`)
  }
  if (request.method === 'GET') return jsonReply(NO_TRACING)
  throw new ServerError('UNSUPPORTED', 'this server does not support trace')
}
