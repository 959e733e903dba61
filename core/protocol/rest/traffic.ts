import { ServerError } from '../../errors.ts'
import type { InferenceServer } from '../../server-types.ts'
import { parsePolicy, policyJson } from '../../traffic/policy.ts'
import type { TrafficState } from '../../traffic/types.ts'
import { jsonReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import type { RestRequest, RestResponse } from './types.ts'

interface TrafficContext {
  readonly server: InferenceServer
}

/**
 * `/v2/models/MODEL/traffic`: GET tells how requests without a version are spread, POST replaces the policy, DELETE goes back
 * to the one of the model's config. Each answers with what then holds.
 */
export async function handleTraffic(
  { server: { traffic } }: TrafficContext,
  { model = '' }: RouteParams,
  request: RestRequest,
): Promise<RestResponse> {
  // As if the route were not there.
  if (traffic === undefined) throw new ServerError('NOT_FOUND', 'Not Found')
  if (request.method === 'GET') return jsonReply(trafficJson(traffic.get(model)))
  if (request.method === 'DELETE') return jsonReply(trafficJson(traffic.reset(model)))
  const policy = parsePolicy(new TextDecoder().decode(await request.body()))
  return jsonReply(trafficJson(traffic.set(model, policy)))
}

function trafficJson({ model, source, policy, versions, shadows }: TrafficState): string {
  return JSON.stringify({
    model_name: model,
    source,
    ...policyJson(policy),
    versions: versions.map(({ version, weight, ready }) => ({
      version: String(version),
      weight,
      ready,
    })),
    ...(shadows.length === 0 ? {} : { shadows: shadows.map(shadowJson) }),
  })
}

function shadowJson({ version, outcomes, largest }: TrafficState['shadows'][number]): unknown {
  return {
    version: String(version),
    ...outcomes,
    // JSON has no infinity.
    largest_difference: Object.fromEntries(
      [...largest].map(([name, apart]) => [name, Number.isFinite(apart) ? apart : 'Infinity']),
    ),
  }
}
