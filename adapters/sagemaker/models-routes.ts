import type { AccessRefusal } from '../../core/access/types.ts'
import { ServerError } from '../../core/errors.ts'
import { safeName } from '../../core/paths.ts'
import type { ProtocolLimits } from '../../core/protocol/limits.ts'
import { type AdmissionOptions, admitted } from '../../core/protocol/rest/admitted.ts'
import { JsonReader } from '../../core/protocol/rest/json-reader.ts'
import { asString, find } from '../../core/protocol/rest/json-value.ts'
import {
  emptyReply,
  errorReply,
  jsonReply,
  refusedReply,
} from '../../core/protocol/rest/replies.ts'
import type { RestRequest, RestResponse } from '../../core/protocol/rest/types.ts'
import type { SageMakerModel, SageMakerModels } from './models.ts'
import { OUT_OF_MEMORY_STATUS, saysOutOfMemory } from './out-of-memory.ts'

/** Names the archive for people; a model goes by it where it may be a name. */
const TARGET_HEADER = 'x-amzn-sagemaker-target-model'

/** `/models` but for the invocations: `load`, `unload`, and what is loaded. All of it asks `admission` first. */
export interface ModelsRoutes {
  list(request: RestRequest): Promise<RestResponse>
  get(request: RestRequest, hash: string): Promise<RestResponse>
  load(request: RestRequest): Promise<RestResponse>
  unload(request: RestRequest, hash: string): Promise<RestResponse>
  /** An invocation of a model that is not loaded: nothing of that name that came another way is run. */
  missing(request: RestRequest, hash: string): Promise<RestResponse>
}

export function modelsRoutes(models: SageMakerModels, admission: AdmissionOptions): ModelsRoutes {
  const nameOf = (hash: string): string => models.get(hash)?.name ?? hash
  return {
    list: (request) =>
      admitted(
        admission,
        { operation: 'repository-index', params: {} },
        request,
        (_, principal) => {
          const seen = [...models.all()].filter(({ name }) => principal.sees(name))
          return jsonReply(JSON.stringify({ models: seen.map(shown) }))
        },
      ),
    get: (request, hash) => {
      const match = { operation: 'repository-index', params: { model: nameOf(hash) } } as const
      return admitted(admission, match, request, () => {
        const model = models.get(hash)
        return model === undefined ? bare(404) : jsonReply(JSON.stringify(shown(model)))
      })
    },
    load: (request) => {
      // Who may load nothing at all need not send a body; which model it is stands in there.
      const match = { operation: 'model-load', params: {} } as const
      return admitted(admission, match, request, async (one, principal) => {
        try {
          const model = modelOf(await one.body(), one, admission.limits)
          const refusal: AccessRefusal | null = principal.recheck('model-load', model.name)
          if (refusal !== null) return refusedReply(refusal)
          await models.load(model)
          return emptyReply()
        } catch (error) {
          return failed(error)
        }
      })
    },
    unload: (request, hash) => {
      const match = { operation: 'model-unload', params: { model: nameOf(hash) } } as const
      return admitted(admission, match, request, async () => {
        try {
          return (await models.unload(hash)) ? emptyReply() : bare(404)
        } catch (error) {
          return failed(error)
        }
      })
    },
    missing: (request, model) =>
      admitted(admission, { operation: 'infer', params: { model } }, request, () => bare(404)),
  }
}

/** A status and nothing else: what SageMaker's front answers where Triton has no words. */
export function bare(status: number): RestResponse {
  return { status, headers: { 'Content-Type': 'text/plain' }, body: [] }
}

function shown({ hash, url }: SageMakerModel): object {
  return { modelName: hash, modelUrl: url }
}

function modelOf(body: Uint8Array, request: RestRequest, limits: ProtocolLimits): SageMakerModel {
  const document = body.length === 0 ? undefined : new JsonReader(body, limits).document()
  const text = (name: string): string => {
    const member = find(document, name)
    return member === undefined ? '' : asString(member)
  }
  const hash = safeName(text('model_name'), 'model name')
  return { hash, name: targetOf(request) ?? hash, url: text('url') }
}

function targetOf(request: RestRequest): string | undefined {
  const target = request.header(TARGET_HEADER)
  try {
    return target === undefined ? undefined : safeName(target, 'model name')
  } catch {
    return undefined
  }
}

/** Of all that can be wrong SageMaker wants to know two things apart: a model that is there, and memory that is not. */
function failed(error: unknown): RestResponse {
  const reply = errorReply(error)
  if (!(error instanceof ServerError)) return reply
  if (error.code === 'ALREADY_EXISTS') return { ...reply, status: 409 }
  return { ...reply, status: saysOutOfMemory(error.message) ? OUT_OF_MEMORY_STATUS : 400 }
}
