import { ServerError } from '../../core/errors.ts'
import { parseBoolean, parseInteger } from './onnx-parameters.ts'

type Check = (text: string, what: string) => unknown
const text: Check = () => undefined
const size: Check = (value, what) => {
  if (!/^\d{1,20}$/.test(value)) {
    throw new ServerError('INVALID_ARG', `failed to convert '${value}' to size for ${what}`)
  }
}

/** Parameters of the `tensorrt` accelerator that are passed on under their own name. */
const SAME_NAME: Readonly<Record<string, Check>> = {
  trt_max_partition_iterations: parseInteger,
  trt_min_subgraph_size: parseInteger,
  trt_dla_enable: parseBoolean,
  trt_dla_core: parseInteger,
  trt_engine_cache_enable: parseBoolean,
  trt_engine_cache_path: text,
  trt_engine_cache_prefix: text,
  trt_dump_subgraphs: parseBoolean,
  trt_force_sequential_engine_build: parseBoolean,
  trt_context_memory_sharing_enable: parseBoolean,
  trt_layer_norm_fp32_fallback: parseBoolean,
  trt_timing_cache_enable: parseBoolean,
  trt_timing_cache_path: text,
  trt_force_timing_cache: parseBoolean,
  trt_detailed_build_log: parseBoolean,
  trt_build_heuristics_enable: parseBoolean,
  trt_sparsity_enable: parseBoolean,
  trt_builder_optimization_level: parseInteger,
  trt_auxiliary_streams: parseInteger,
  trt_tactic_sources: text,
  trt_extra_plugin_lib_paths: text,
  trt_profile_min_shapes: text,
  trt_profile_max_shapes: text,
  trt_profile_opt_shapes: text,
  trt_cuda_graph_enable: parseBoolean,
  trt_dump_ep_context_model: parseBoolean,
  trt_ep_context_file_path: text,
  trt_ep_context_embed_mode: parseInteger,
  // Those that ONNX Runtime has beyond Triton's list.
  trt_engine_hw_compatible: parseBoolean,
  trt_op_types_to_exclude: text,
  trt_preview_features: text,
  trt_weight_stripped_engine_enable: parseBoolean,
  trt_onnx_model_folder_path: text,
  trt_load_user_initializer: parseBoolean,
}

/** Those that Triton calls differently than ONNX Runtime. */
const RENAMED: Readonly<Record<string, { readonly to: string; readonly check: Check }>> = {
  max_workspace_size_bytes: { to: 'trt_max_workspace_size', check: size },
  int8_calibration_table_name: { to: 'trt_int8_calibration_table_name', check: text },
  int8_use_native_calibration_table: {
    to: 'trt_int8_use_native_calibration_table',
    check: parseBoolean,
  },
}

const PRECISIONS: Readonly<Record<string, string | null>> = {
  FP32: null,
  FP16: 'trt_fp16_enable',
  BF16: 'trt_bf16_enable',
  INT8: 'trt_int8_enable',
}

/** ONNX Runtime's TensorRT options for the parameters of a `tensorrt` accelerator. Throws INVALID_ARG for unknown ones. */
export function tensorRtOptions(
  parameters: Readonly<Record<string, string>>,
): Record<string, string> {
  const options: Record<string, string> = {}
  for (const [key, value] of Object.entries(parameters)) {
    if (key === 'precision_mode') {
      if (!Object.hasOwn(PRECISIONS, value)) {
        throw new ServerError('INVALID_ARG', `unsupported precision mode '${value}' is requested`)
      }
      const flag = PRECISIONS[value]
      if (typeof flag === 'string') options[flag] = '1'
      continue
    }
    const renamed = Object.hasOwn(RENAMED, key) ? RENAMED[key] : undefined
    const check = renamed?.check ?? (Object.hasOwn(SAME_NAME, key) ? SAME_NAME[key] : undefined)
    if (check === undefined) {
      throw new ServerError(
        'INVALID_ARG',
        `unknown parameter '${key}' is provided for TensorRT Execution Accelerator`,
      )
    }
    check(value, key)
    // An empty value leaves the provider's default.
    if (value !== '') options[renamed?.to ?? key] = value
  }
  return options
}
