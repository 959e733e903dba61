import type { Operation } from '../../../core/operations.ts'
import { needsModel, withModel } from '../../../core/protocol/bring-model.ts'
import type { UnaryMethod } from '../types.ts'
import { stringField } from './string-field.ts'
import type { AnswerName, ControlContext } from './types.ts'

export const INFERENCE_SERVICE = '/inference.GRPCInferenceService/'

/** Operation of a method, and the number of the field that names its model (0 = it concerns no single model). */
const METHODS: Readonly<Record<AnswerName, readonly [Operation, number]>> = {
  ServerMetadata: ['server-metadata', 0],
  ModelMetadata: ['model-metadata', 1],
  ModelConfig: ['model-config', 1],
  ModelStatistics: ['model-stats', 1],
  RepositoryIndex: ['repository-index', 0],
  RepositoryModelLoad: ['model-load', 2],
  RepositoryModelUnload: ['model-unload', 2],
  SystemSharedMemoryStatus: ['system-shm-status', 0],
  SystemSharedMemoryRegister: ['system-shm-register', 0],
  SystemSharedMemoryUnregister: ['system-shm-unregister', 0],
  CudaSharedMemoryStatus: ['cuda-shm-status', 0],
  CudaSharedMemoryRegister: ['cuda-shm-register', 0],
  CudaSharedMemoryUnregister: ['cuda-shm-unregister', 0],
  TraceSetting: ['trace-setting', 2],
  LogSettings: ['logging', 0],
}

/** A message that is read no further than its authorization needs. */
interface Sealed {
  readonly message: Uint8Array
  readonly model: string
}

/** The methods of {@link AnswerName}. Nothing of the protobuf library is loaded before one of them is called. */
export function answeredMethods(context: ControlContext): readonly UnaryMethod[] {
  return Object.entries(METHODS).map(([name, [operation, modelField]]) =>
    answeredMethod(name as AnswerName, operation, modelField, context),
  )
}

function answeredMethod(
  name: AnswerName,
  operation: Operation,
  modelField: number,
  context: ControlContext,
): UnaryMethod {
  const method: UnaryMethod<Sealed, Uint8Array> = {
    path: INFERENCE_SERVICE + name,
    operation,
    decode: (message) => ({
      message,
      model: modelField === 0 ? '' : stringField(message, modelField),
    }),
    ...(modelField === 0 ? {} : { model: (input: Sealed) => input.model }),
    handle: async ({ message, model }, call) => {
      const { ANSWERS } = await import('./answers.ts')
      const answer = () => ANSWERS[name](message, model, context, call)
      const { onDemand } = context.server
      if (onDemand === undefined || !needsModel(operation)) return answer()
      return withModel(onDemand, model, call.signal, answer)
    },
    encode: (output) => output,
  }
  return method as UnaryMethod
}
