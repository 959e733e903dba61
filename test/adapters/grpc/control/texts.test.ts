import type { MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import type { GRPCInferenceService } from '../../../../adapters/grpc/messages/grpc_service_pb.ts'
import type { UnaryMethod } from '../../../../adapters/grpc/types.ts'
import { type ErrorCode, ServerError } from '../../../../core/errors.ts'
import type { SharedMemory } from '../../../../core/shared-memory/types.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { call } from './call.ts'

type Methods = (typeof GRPCInferenceService)['method']
type Case = {
  [M in keyof Methods]: [M, MessageInitShape<Methods[M]['input']>, ErrorCode, string]
}[keyof Methods]

const choice = <C extends string, V>(name: C, value: V) =>
  ({ parameterChoice: { case: name, value } }) as const
const NO_REPOSITORY = "'repository_name' specification is not supported"
const NO_NUMBER =
  "failed to get model version from specified version string 'x' (details: stol), version should be an integral value > 0"

const CASES: readonly Case[] = [
  ['modelReady', { name: 'echo', version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  ['modelReady', { name: 'nope', version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  [
    'modelReady',
    { name: 'echo', version: '-3' },
    'INVALID_ARG',
    "invalid model version specified '-3' , version should be an integral value > 0",
  ],
  ['modelMetadata', { name: 'echo', version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  [
    'modelMetadata',
    { name: 'nope' },
    'NOT_FOUND',
    "Request for unknown model: 'nope' is not found",
  ],
  ['modelConfig', { name: 'echo', version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  [
    'modelConfig',
    { name: 'echo', version: '7' },
    'NOT_FOUND',
    "Request for unknown model: 'echo' version 7 is not found",
  ],
  ['modelStatistics', { name: 'echo', version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  ['modelStatistics', { version: 'x' }, 'INVALID_ARG', NO_NUMBER],
  ['modelStatistics', { name: 'nope' }, 'INVALID_ARG', "requested model 'nope' is not available"],
  [
    'modelStatistics',
    { name: 'echo', version: '7' },
    'INVALID_ARG',
    "requested model version is not available for model 'echo'",
  ],
  ['repositoryIndex', { repositoryName: 'r' }, 'UNSUPPORTED', NO_REPOSITORY],
  ['repositoryModelLoad', { repositoryName: 'r', modelName: 'echo' }, 'UNSUPPORTED', NO_REPOSITORY],
  [
    'repositoryModelUnload',
    { repositoryName: 'r', modelName: 'echo' },
    'UNSUPPORTED',
    NO_REPOSITORY,
  ],
  [
    'repositoryModelLoad',
    { modelName: 'nope' },
    'INTERNAL',
    "failed to load 'nope', failed to poll from model repository",
  ],
  [
    'repositoryModelLoad',
    { modelName: 'echo', parameters: { config: choice('bytesParam', new Uint8Array(2)) } },
    'INVALID_ARG',
    "invalid value type for load parameter 'config', expected string_param.",
  ],
  [
    'repositoryModelLoad',
    { modelName: 'echo', parameters: { 'file:1/m': choice('stringParam', 'x') } },
    'INVALID_ARG',
    "invalid value type for load parameter 'file:1/m', expected bytes_param.",
  ],
  [
    'repositoryModelLoad',
    { modelName: 'echo', parameters: { 'file:1/m': {} } },
    'INVALID_ARG',
    "invalid value type for load parameter 'file:1/m', expected bytes_param.",
  ],
  [
    'repositoryModelLoad',
    { modelName: 'echo', parameters: { x: choice('boolParam', true) } },
    'INVALID_ARG',
    "unrecognized load parameter 'x'.",
  ],
  [
    'repositoryModelUnload',
    { modelName: 'echo', parameters: { unload_dependents: choice('stringParam', 'true') } },
    'INVALID_ARG',
    "invalid value type for 'unload_dependents' parameter, expected bool_param.",
  ],
  [
    'logSettings',
    { settings: { log_file: choice('stringParam', '/x') } },
    'UNSUPPORTED',
    'log file location can not be updated through network protocol',
  ],
  ...(['log_info', 'log_warning', 'log_error'] as const).map(
    (key): Case => [
      'logSettings',
      { settings: { [key]: choice('stringParam', 'true') } },
      'INVALID_ARG',
      `expect boolean for '${key}'`,
    ],
  ),
  [
    'logSettings',
    { settings: { log_verbose_level: choice('boolParam', true) } },
    'INVALID_ARG',
    "expect int32 for 'log_verbose_level'",
  ],
  [
    'logSettings',
    { settings: { log_format: choice('uint32Param', 1) } },
    'INVALID_ARG',
    "expect string for 'log_format'",
  ],
  [
    'logSettings',
    { settings: { log_format: choice('stringParam', 'iso') } },
    'INVALID_ARG',
    'invalid argument for log_format, got: iso',
  ],
  ...(['systemSharedMemoryRegister', 'cudaSharedMemoryUnregister'] as const).map(
    (method): Case => [
      method,
      { name: 'r' },
      'UNSUPPORTED',
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.",
    ],
  ),
  [
    'systemSharedMemoryStatus',
    { name: 'r' },
    'NOT_FOUND',
    "Unable to find system shared memory region: 'r'",
  ],
  [
    'cudaSharedMemoryStatus',
    { name: 'r' },
    'NOT_FOUND',
    "Unable to find cuda shared memory region: 'r'",
  ],
  ['traceSetting', { modelName: 'nope' }, 'INVALID_ARG', 'Request for unknown model : nope'],
  [
    'traceSetting',
    { settings: { trace_rate: { value: ['1'] } } },
    'UNSUPPORTED',
    'this server does not support trace',
  ],
]

let serving: Serving
let methods: readonly UnaryMethod[]

function methodsWith(sharedMemory: SharedMemory | null): readonly UnaryMethod[] {
  const { server, log } = serving
  return controlMethods({ server, logControl: log, sharedMemory, log })
}

beforeAll(async () => {
  serving = await serve({ server: { modelControlMode: 'explicit', loadModels: ['*'] } })
  methods = methodsWith(null)
})
afterAll(() => serving.close())

describe('errors have the texts of Triton:', () => {
  test.each(CASES.map((one) => [`${one[0]}: ${one[3]}`, one] as const))(
    '%s',
    async (_, [method, input, code, message]) => {
      const error = await call(methods, method, input as object).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ServerError)
      expect({
        code: (error as ServerError).code,
        message: (error as ServerError).message,
      }).toEqual({ code, message })
    },
  )
})
