import { ANYBODY, type Principal } from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import type { LogControl } from '../../server-types.ts'
import type { Tracer } from '../../trace/types.ts'
import { needsModel, withModel } from '../bring-model.ts'
import { type AdmissionOptions, admitted } from './admitted.ts'
import { handleGenerate, handleGenerateStream } from './generate.ts'
import { handleInfer, type InferContext } from './handle-infer.ts'
import { INFER_STREAM_EXTENSION } from './infer-events.ts'
import { loggingJson, parseLoggingBody } from './logging-body.ts'
import { matchRoute } from './match-route.ts'
import { emptyReply, healthReply, jsonReply, refusal } from './replies.ts'
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
import { traced, traceSetting } from './trace-routes.ts'
import { handleTraffic } from './traffic.ts'
import type { RestRequest, RestResponse } from './types.ts'

export interface RestOptions extends InferContext, AdmissionOptions {
  readonly logControl: LogControl
  /** Samples requests. Default: none is traced, and none can be. */
  readonly tracer?: Tracer | undefined
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
    const ready = server.askModelReady(model, version)
    return typeof ready === 'boolean' ? modelReadyReply(ready) : ready.then(modelReadyReply)
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
    return admitted(options, match, request, (one, principal) => {
      const handle = () => HANDLERS[match.operation](options, match.params, one, principal)
      if (onDemand === undefined || !needsModel(match.operation)) return handle()
      return withModel(onDemand, match.params.model ?? '', request.signal, handle)
    })
  }
}

function visible<T extends { readonly name: string }>(
  entries: readonly T[],
  principal: Principal,
): readonly T[] {
  return principal === ANYBODY ? entries : entries.filter(({ name }) => principal.sees(name))
}

function checkNoRepository(repository: string | undefined): void {
  if (repository === undefined) return
  throw new ServerError('UNSUPPORTED', "'repository_name' specification is not supported")
}

function modelReadyReply(ready: boolean): ReturnType<typeof healthReply> {
  if (ready) return healthReply(true)
  throw new ServerError('INVALID_ARG', 'Model version not ready')
}
