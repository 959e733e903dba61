import type { AdmissionOptions } from '../../core/protocol/rest/admitted.ts'
import type { RestHandler } from '../../core/protocol/rest/handlers.ts'
import { withTypedBinary, withTypedLength } from '../../core/protocol/rest/typed-binary.ts'
import type { RestRequest, RestResponse } from '../../core/protocol/rest/types.ts'
import { SAGEMAKER_BINARY_TYPE } from './dialect.ts'
import type { SageMakerModels } from './models.ts'
import { bare, modelsRoutes } from './models-routes.ts'
import { OUT_OF_MEMORY_STATUS, saysOutOfMemory } from './out-of-memory.ts'
import type { SageMakerSettings } from './types.ts'

/** `/models`, `/models/H` and `/models/H/invoke`. */
const MODELS = /^\/models(?:\/([^/]+)?(\/invoke)?)?$/

/**
 * What SageMaker asks a container, as requests to the REST routes: `/ping`, `/invocations`, and `/models` for endpoints with
 * many models. Everything else is a 400 without a body.
 */
export function sagemakerFront(
  settings: SageMakerSettings,
  models: SageMakerModels,
): (rest: RestHandler, admission: AdmissionOptions) => RestHandler {
  return (rest, admission) => {
    const routes = modelsRoutes(models, admission)
    const infer = async (request: RestRequest, path: string) => {
      const typed = withTypedBinary(SAGEMAKER_BINARY_TYPE, request)
      return inferred(withTypedLength(SAGEMAKER_BINARY_TYPE, await rest({ ...typed, path })))
    }
    const invocations = `/v2/models/${settings.defaultModel}/${settings.inferenceType}`
    const onModel = async (request: RestRequest, hash: string, invoke: boolean) => {
      switch (request.method) {
        case 'GET':
          return hash === '' ? routes.list(request) : routes.get(request, hash)
        case 'POST': {
          if (!invoke) return hash === '' ? routes.load(request) : bare(400)
          const model = models.get(hash)
          if (model === undefined) return routes.missing(request, hash)
          return infer(request, model.path)
        }
        case 'DELETE':
          return routes.unload(request, hash)
        default:
          return bare(400)
      }
    }
    return async (request) => {
      const { path } = request
      if (path === '/ping') return rest({ ...request, path: `/v2/health/${settings.pingMode}` })
      if (path === '/invocations') {
        return infer(request, invocations)
      }
      const [known, hash = '', action] = MODELS.exec(path) ?? []
      if (known === undefined) return bare(400)
      return onModel(request, hash, action !== undefined)
    }
  }
}

const decoder = new TextDecoder()

/** `reply` with the status that says of an error that memory is short. */
function inferred(reply: RestResponse): RestResponse {
  if (reply.status < 400) return reply
  const text = reply.body.map((part) => decoder.decode(part)).join('')
  return saysOutOfMemory(text) ? { ...reply, status: OUT_OF_MEMORY_STATUS } : reply
}
