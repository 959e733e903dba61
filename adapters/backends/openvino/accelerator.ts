import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'

/** Options of ONNX Runtime's OpenVINO provider, and what the openvino backend calls them. */
const PARAMETERS: Readonly<Record<string, string>> = {
  device_type: 'TARGET_DEVICE',
  num_of_threads: 'INFERENCE_NUM_THREADS',
  num_streams: 'NUM_STREAMS',
  precision: 'INFERENCE_PRECISION_HINT',
}

/** What the provider computes with unless it is told; OpenVINO itself takes bfloat16 where the processor has it. */
const PRECISION = 'f32'
/** The provider's names of precisions; others are passed on. */
const PRECISIONS: Readonly<Record<string, string>> = {
  ACCURACY: PRECISION,
  FP32: PRECISION,
  FP16: 'f16',
}

/**
 * The config of an ONNX model that asks for the `openvino` CPU accelerator, as the openvino backend takes it; undefined for
 * one that does not. Throws INVALID_ARG for an option that has no counterpart.
 */
export function acceleratedConfig(config: ModelConfig): ModelConfig | undefined {
  const accelerators = config.optimization?.execution_accelerators?.cpu_execution_accelerator ?? []
  const asked = accelerators.find((accelerator) => accelerator.name === 'openvino')
  if (asked === undefined) return undefined
  const threads = config.parameters?.['intra_op_thread_count']?.string_value
  const parameters: Record<string, { string_value: string }> = {
    INFERENCE_PRECISION_HINT: { string_value: PRECISION },
  }
  if (threads !== undefined && threads !== '0') {
    parameters['INFERENCE_NUM_THREADS'] = { string_value: threads }
  }
  for (const [key, value] of Object.entries(asked.parameters ?? {})) {
    const name = PARAMETERS[key]
    if (name === undefined) {
      throw new ServerError(
        'INVALID_ARG',
        `execution accelerator 'openvino' has no option '${key}', it has ${Object.keys(PARAMETERS).join(', ')}`,
      )
    }
    parameters[name] = { string_value: PRECISIONS[value] ?? value }
  }
  return {
    ...config,
    default_model_filename: config.default_model_filename || 'model.onnx',
    parameters: { ...config.parameters, ...parameters },
  }
}
