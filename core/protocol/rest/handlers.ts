import {
  type Access,
  type AccessRefusal,
  ANYBODY,
  isRefusal,
  type Principal,
} from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import { gateOf } from '../../overload/gate-of.ts'
import { Hold } from '../../overload/hold.ts'
import type { Gates } from '../../overload/types.ts'
import type { LogControl } from '../../server-types.ts'
import type { Tracer } from '../../trace/types.ts'
import { needsModel, withModel } from '../bring-model.ts'
import { handleGenerate, handleGenerateStream } from './generate.ts'
import { handleInfer, type InferContext } from './handle-infer.ts'
import { INFER_STREAM_EXTENSION } from './infer-events.ts'
import { loggingJson, parseLoggingBody } from './logging-body.ts'
import { matchRoute, type RouteMatch } from './match-route.ts'
import { emptyReply, errorReply, healthReply, jsonReply, refusal, refusedReply } from './replies.ts'
import { parseIndexBody, parseLoadBody, parseUnloadBody } from './repository-body.ts'
import type { RestOperation, RouteParams } from './routes.ts'
import {
  indexJson,
  modelConfigJson,
  modelMetadataJson,
  serverMetadataJson,
  statisticsJson,
} from './server-json.ts'
import {
  cudaStatus,
  registerCuda,
  registerSystem,
  systemStatus,
  unregisterCuda,
  unregisterSystem,
} from './shared-memory-routes.ts'
import { whenEnded } from './stream-end.ts'
import { traced, traceSetting } from './trace-routes.ts'
import { handleTraffic } from './traffic.ts'
import type { RestRequest, RestResponse } from './types.ts'

export interface RestOptions extends InferContext {
  readonly logControl: LogControl
  /** Decides on the resolved operation. Default: everything is allowed. */
  readonly access?: Access | undefined
  /** Counts and refuses what is in flight. Default: nothing is counted. */
  readonly gates?: Gates | undefined
  /** Samples requests. Default: none is traced, and none can be. */
  readonly tracer?: Tracer | undefined
  /** Hears of every error that is ours and that the client is told nothing of. */
  readonly onInternalError?: (error: unknown, match: RouteMatch) => void
}

export type RestHandler = (request: RestRequest) => Promise<RestResponse>

type OperationHandler = (
  options: RestOptions,
  params: RouteParams,
  request: RestRequest,
  principal: Principal,
) => RestResponse | Promise<RestResponse>

const HANDLERS: Readonly<Record<RestOperation, OperationHandler>> = {
  'server-live': ({ server }) => healthReply(server.live()),
  'server-ready': ({ server }) => healthReply(server.ready()),
  'server-metadata': ({ server, inferStream }) =>
    jsonReply(serverMetadataJson(server, inferStream === true ? [INFER_STREAM_EXTENSION] : [])),
  'model-ready': ({ server }, { model = '', version = '' }) => {
    if (server.modelReady(model, version)) return healthReply(true)
    throw new ServerError('INVALID_ARG', 'Model version not ready')
  },
  'model-metadata': ({ server }, { model = '', version = '' }) =>
    jsonReply(modelMetadataJson(server.modelMetadata(model, version))),
  'model-config': ({ server }, { model = '', version = '' }) =>
    jsonReply(modelConfigJson(server.modelConfig(model, version))),
  'model-stats': ({ server }, { model, version }, _request, principal) =>
    jsonReply(statisticsJson(visible(server.statistics(model, version), principal))),
  infer: followed(handleInfer),
  logging: async ({ logControl, limits }, _params, request) => {
    if (request.method === 'GET') return jsonReply(loggingJson(logControl.get()))
    const change = parseLoggingBody(await request.body(), limits)
    return jsonReply(loggingJson(logControl.set(change)))
  },
  'repository-index': async ({ server, limits }, _params, request, principal) => {
    const entries = await server.index(parseIndexBody(await request.body(), limits))
    return jsonReply(indexJson(visible(entries, principal)))
  },
  'model-load': async ({ server, limits }, { model = '', repository }, request) => {
    checkNoRepository(repository)
    await server.load(model, parseLoadBody(await request.body(), limits))
    return emptyReply()
  },
  'model-unload': async ({ server, limits }, { model = '', repository }, request) => {
    checkNoRepository(repository)
    await server.unload(model, parseUnloadBody(await request.body(), limits))
    return emptyReply()
  },
  'model-traffic': handleTraffic,
  generate: followed(handleGenerate),
  'generate-stream': followed(handleGenerateStream),
  'trace-setting': traceSetting,
  'system-shm-status': systemStatus,
  'system-shm-register': registerSystem,
  'system-shm-unregister': unregisterSystem,
  'cuda-shm-status': cudaStatus,
  'cuda-shm-register': registerCuda,
  'cuda-shm-unregister': unregisterCuda,
}

/** `handle`, traced where a tracer wants it. */
function followed(handle: OperationHandler): OperationHandler {
  return (options, params, request, principal) => {
    const { tracer } = options
    if (tracer?.active !== true) return handle(options, params, request, principal)
    return traced(tracer, params.model ?? '', request, (one) =>
      handle(options, params, one, principal),
    )
  }
}

/** Answers every REST route. Never rejects: what goes wrong is the answer. */
export function createRestHandler(options: RestOptions): RestHandler {
  const { onDemand } = options.server
  return async (request) => {
    const match = matchRoute(request.method, request.path)
    if (typeof match === 'number') return refusal(match)
    try {
      const principal = request.refusal ?? authorizeRest(options.access, match, request)
      if (isRefusal(principal)) return refusedReply(principal)
      const full = principal.enter?.() ?? null
      if (full !== null) return refusedReply(full)
      const hold =
        options.gates === undefined ? undefined : new Hold(gateOf(options.gates, match.operation))
      return await leaving(principal, hold, () => {
        const refused = hold?.enter(declaredBytes(request, options.limits.bodyBytes)) ?? null
        if (refused !== null) throw refused
        const admitted =
          hold === undefined ? request : { ...request, hold, body: () => request.body(hold) }
        const handle = () => HANDLERS[match.operation](options, match.params, admitted, principal)
        if (onDemand === undefined || !needsModel(match.operation)) return handle()
        return withModel(onDemand, match.params.model ?? '', request.signal, handle)
      })
    } catch (error) {
      if (!(error instanceof ServerError) || error.cause !== undefined) {
        options.onInternalError?.(error, match)
      }
      return errorReply(error)
    }
  }
}

/** What is known of the body's size; 0 = nothing, or more than `limit`, which is refused when the body is read. */
function declaredBytes({ header }: RestRequest, limit: number): number {
  const declared = Number(header('content-length') ?? 0)
  return declared <= limit ? declared : 0
}

/** Runs `handle` and gives the places of the request back when its answer is made, or when the stream of it has ended. */
async function leaving(
  principal: Principal,
  hold: Hold | undefined,
  handle: () => RestResponse | Promise<RestResponse>,
): Promise<RestResponse> {
  if (principal.leave === undefined && hold === undefined) return handle()
  const leave = (): void => {
    hold?.leave()
    principal.leave?.()
  }
  let reply: RestResponse | undefined
  try {
    reply = await handle()
  } finally {
    if (reply?.stream === undefined) leave()
  }
  return reply.stream === undefined ? reply : { ...reply, stream: whenEnded(reply.stream, leave) }
}

function visible<T extends { readonly name: string }>(
  entries: readonly T[],
  principal: Principal,
): readonly T[] {
  return principal === ANYBODY ? entries : entries.filter(({ name }) => principal.sees(name))
}

/** Asks `access` about a request over HTTP. */
export function authorizeRest(
  access: Access | undefined,
  { operation, params }: RouteMatch,
  { header, address = '', certificate = '' }: RestRequest,
): Principal | AccessRefusal {
  if (access === undefined) return ANYBODY
  const caller = { door: 'http', header, address, certificate } as const
  return access.authorize({ operation, model: params.model ?? '', caller })
}

function checkNoRepository(repository: string | undefined): void {
  if (repository === undefined) return
  throw new ServerError('UNSUPPORTED', "'repository_name' specification is not supported")
}
