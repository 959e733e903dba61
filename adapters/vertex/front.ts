import type { RestHandler } from '../../core/protocol/rest/handlers.ts'
import { withTypedBinary } from '../../core/protocol/rest/typed-binary.ts'
import type { RestRequest, RestResponse } from '../../core/protocol/rest/types.ts'
import { redirectOf } from './redirect.ts'
import type { VertexSettings } from './types.ts'

/** Followed by the length of the JSON part. */
export const VERTEX_BINARY_TYPE = 'application/vnd.vertex-ai-triton.binary+json;json-header-size='
/** Names the REST route that a prediction is meant for, without its first slash. */
export const REDIRECT_HEADER = 'x-vertex-ai-triton-redirect'

/**
 * What Vertex AI asks a container, as requests to the REST routes: the health route, and the predict route for inference with
 * the default model or for what the redirect header names. `metrics` answers the redirect to them.
 */
export function vertexFront(
  settings: VertexSettings,
  metrics: (request: RestRequest) => Promise<RestResponse>,
): (rest: RestHandler) => RestHandler {
  return (rest) => async (request) => {
    const { path } = request
    if (path === settings.healthRoute) return rest({ ...request, path: '/v2/health/ready' })
    if (path !== settings.predictRoute) return bare(400)
    const typed = withTypedBinary(VERTEX_BINARY_TYPE, request)
    const wanted = request.header(REDIRECT_HEADER)
    if (wanted === undefined) {
      return rest({ ...typed, path: `/v2/models/${settings.defaultModel}/infer` })
    }
    if (request.method !== 'POST') return bare(405)
    if (wanted === 'metrics') return metrics(request)
    const redirect = redirectOf(wanted)
    if (typeof redirect === 'number') return bare(redirect)
    return rest({ ...typed, path: redirect.path, method: redirect.method })
  }
}

function bare(status: number): RestResponse {
  return { status, headers: { 'Content-Type': 'text/plain' }, body: [] }
}
