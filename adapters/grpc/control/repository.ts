import { ServerError } from '../../../core/errors.ts'
import type { LoadOverrides } from '../../../core/server-types.ts'
import {
  type ModelRepositoryParameter,
  RepositoryIndexRequestSchema,
  RepositoryIndexResponseSchema,
  RepositoryModelLoadRequestSchema,
  RepositoryModelLoadResponseSchema,
  RepositoryModelUnloadRequestSchema,
  RepositoryModelUnloadResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

type Parameters = Readonly<Record<string, ModelRepositoryParameter>>

const FILE_PREFIX = 'file:'

export const repositoryIndex: Answer = answer({
  input: RepositoryIndexRequestSchema,
  output: RepositoryIndexResponseSchema,
  run: async ({ repositoryName, ready }, { server }, { principal }) => {
    checkNoRepository(repositoryName)
    const entries = await server.index(ready)
    return {
      models: entries
        .filter(({ name }) => principal.sees(name))
        .map(({ name, version = '', state = '', reason = '' }) => ({
          name,
          version,
          state,
          reason,
        })),
    }
  },
})

export const modelLoad: Answer = answer({
  input: RepositoryModelLoadRequestSchema,
  output: RepositoryModelLoadResponseSchema,
  model: ({ modelName }) => modelName,
  run: async ({ repositoryName, modelName, parameters }, { server }) => {
    checkNoRepository(repositoryName)
    await server.load(modelName, loadOverrides(parameters))
    return {}
  },
})

export const modelUnload: Answer = answer({
  input: RepositoryModelUnloadRequestSchema,
  output: RepositoryModelUnloadResponseSchema,
  model: ({ modelName }) => modelName,
  run: async ({ repositoryName, modelName, parameters }, { server }) => {
    checkNoRepository(repositoryName)
    await server.unload(modelName, unloadDependents(parameters))
    return {}
  },
})

function checkNoRepository(name: string): void {
  if (name === '') return
  throw new ServerError('UNSUPPORTED', "'repository_name' specification is not supported")
}

function loadOverrides(parameters: Parameters): LoadOverrides {
  let config: string | undefined
  const files = new Map<string, Uint8Array>()
  for (const [key, { parameterChoice }] of Object.entries(parameters)) {
    if (key === 'config') {
      if (parameterChoice.case !== 'stringParam') throw wrongType(key, 'string_param')
      config = parameterChoice.value
    } else if (key.startsWith(FILE_PREFIX)) {
      if (parameterChoice.case !== 'bytesParam') throw wrongType(key, 'bytes_param')
      files.set(key.slice(FILE_PREFIX.length), parameterChoice.value)
    } else throw new ServerError('INVALID_ARG', `unrecognized load parameter '${key}'.`)
  }
  return {
    ...(config === undefined ? {} : { config }),
    ...(files.size === 0 ? {} : { files }),
  }
}

function wrongType(key: string, expected: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `invalid value type for load parameter '${key}', expected ${expected}.`,
  )
}

/** Parameters of other names are not read. */
function unloadDependents(parameters: Parameters): boolean {
  const choice = parameters['unload_dependents']?.parameterChoice
  if (choice === undefined) return false
  if (choice.case === 'boolParam') return choice.value
  throw new ServerError(
    'INVALID_ARG',
    "invalid value type for 'unload_dependents' parameter, expected bool_param.",
  )
}
