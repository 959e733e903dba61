import { ServerError } from '../../../core/errors.ts'
import {
  TraceSettingRequestSchema,
  TraceSettingResponseSchema,
} from '../messages/grpc_service_pb.ts'
import { answer } from './answer.ts'
import type { Answer } from './types.ts'

/** Tracing is off and cannot be switched on: reading the settings says so, changing them is refused. */
const NO_TRACING = {
  trace_level: { value: ['OFF'] },
  trace_rate: { value: ['1000'] },
  trace_count: { value: ['-1'] },
  log_frequency: { value: ['0'] },
  trace_file: { value: [''] },
  trace_mode: { value: ['triton'] },
}

export const traceSetting: Answer = answer({
  input: TraceSettingRequestSchema,
  output: TraceSettingResponseSchema,
  model: ({ modelName }) => modelName,
  run: ({ modelName, settings }, { server }) => {
    if (modelName !== '' && !server.modelReady(modelName, '')) {
      throw new ServerError('INVALID_ARG', `Request for unknown model : ${modelName}`)
    }
    if (Object.keys(settings).length > 0) {
      throw new ServerError('UNSUPPORTED', 'this server does not support trace')
    }
    return { settings: NO_TRACING }
  },
})
