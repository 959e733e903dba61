import type { ServerError } from '../../core/errors.ts'
import { httpStatus } from '../../core/protocol/rest/status.ts'
import type { SageMakerModels } from './models.ts'
import { OUT_OF_MEMORY_STATUS, saysOutOfMemory } from './out-of-memory.ts'
import type { SageMakerSettings } from './types.ts'

/** Followed by the length of the JSON part. */
export const SAGEMAKER_BINARY_TYPE =
  'application/vnd.sagemaker-triton.binary+json;json-header-size='

const MODELS = '/models/'
const INVOKE = '/invoke'

/** How SageMaker asks for inference, for listeners that answer it without the app. */
export interface SageMakerDialect {
  path(url: string): string | null
  readonly binaryType: string
  readonly typesReplies: true
  status(error: ServerError): number
}

export function sagemakerDialect(
  { defaultModel, inferenceType }: SageMakerSettings,
  models: SageMakerModels,
): SageMakerDialect {
  const invocations = inferenceType === 'infer' ? `/v2/models/${defaultModel}/infer` : null
  return {
    binaryType: SAGEMAKER_BINARY_TYPE,
    typesReplies: true,
    path(url) {
      if (url === '/invocations') return invocations
      if (!url.startsWith(MODELS) || !url.endsWith(INVOKE)) return null
      return models.get(url.slice(MODELS.length, -INVOKE.length))?.path ?? null
    },
    // SageMaker unloads other models when memory is short.
    status: ({ code, message }) =>
      saysOutOfMemory(message) ? OUT_OF_MEMORY_STATUS : httpStatus(code),
  }
}
