import {
  type Access,
  type AccessRefusal,
  ANYBODY,
  isRefusal,
  type Principal,
} from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import type { LogControl } from '../../server-types.ts'
import { generate, traceSetting } from './absent-features.ts'
import { handleInfer, type InferContext } from './handle-infer.ts'
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
import type { RestRequest, RestResponse } from './types.ts'

export interface RestOptions extends InferContext {
  readonly logControl: LogControl
  /** Decides on the resolved operation. Default: everything is allowed. */
  readonly access?: Access | undefined
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
  'server-metadata': ({ server }) => jsonReply(serverMetadataJson(server)),
  'model-ready': ({ server }, { model = '', version = '' }) => {
    if (server.modelReady(model, version)) return healthReply(true)
    throw new ServerError('INVALID_ARG', 'Model version not ready')
  },
  'model-metadata': ({ server }, { model = '', version = '' }) =>
    jsonReply(modelMetadataJson(server.modelMetadata(model, version))),
  'model-config': ({ server }, { model = '', version = '' }) =>
    jsonReply(modelConfigJson(server.modelConfig(model, version))),
  'model-stats': ({ server }, { model, version }) =>
    jsonReply(statisticsJson(server.statistics(model, version))),
  infer: handleInfer,
  logging: async ({ logControl, limits }, _params, request) => {
    if (request.method === 'GET') return jsonReply(loggingJson(logControl.get()))
    const change = parseLoggingBody(await request.body(), limits)
    return jsonReply(loggingJson(logControl.set(change)))
  },
  'repository-index': async ({ server, limits }, _params, request) =>
    jsonReply(indexJson(await server.index(parseIndexBody(await request.body(), limits)))),
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
  generate,
  'generate-stream': generate,
  'trace-setting': traceSetting,
  'system-shm-status': systemStatus,
  'system-shm-register': registerSystem,
  'system-shm-unregister': unregisterSystem,
  'cuda-shm-status': cudaStatus,
  'cuda-shm-register': registerCuda,
  'cuda-shm-unregister': unregisterCuda,
}

/** Answers every REST route. Never rejects: what goes wrong is the answer. */
export function createRestHandler(options: RestOptions): RestHandler {
  return async (request) => {
    const match = matchRoute(request.method, request.path)
    if (typeof match === 'number') return refusal(match)
    try {
      const principal = authorizeRest(options.access, match, request)
      if (isRefusal(principal)) return refusedReply(principal)
      return await HANDLERS[match.operation](options, match.params, request, principal)
    } catch (error) {
      if (!(error instanceof ServerError) || error.cause !== undefined) {
        options.onInternalError?.(error, match)
      }
      return errorReply(error)
    }
  }
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
