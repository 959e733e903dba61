/**
 * Triton's ModelConfig (model_config.proto) as TypeScript, field names as in config.pbtxt and in the JSON of the config
 * endpoint. 64-bit integers are numbers (the parser refuses what a double cannot count). A field is absent when the
 * user did not set it; `normalize` fills Triton's defaults.
 */

export type ConfigDatatype =
  | 'TYPE_INVALID'
  | 'TYPE_BOOL'
  | 'TYPE_UINT8'
  | 'TYPE_UINT16'
  | 'TYPE_UINT32'
  | 'TYPE_UINT64'
  | 'TYPE_INT8'
  | 'TYPE_INT16'
  | 'TYPE_INT32'
  | 'TYPE_INT64'
  | 'TYPE_FP16'
  | 'TYPE_FP32'
  | 'TYPE_FP64'
  | 'TYPE_STRING'
  | 'TYPE_BF16'

export interface TensorReshape {
  shape?: number[]
}

export interface ModelInput {
  name?: string
  data_type?: ConfigDatatype
  format?: 'FORMAT_NONE' | 'FORMAT_NHWC' | 'FORMAT_NCHW'
  dims?: number[]
  reshape?: TensorReshape
  is_shape_tensor?: boolean
  allow_ragged_batch?: boolean
  optional?: boolean
  is_non_linear_format_io?: boolean
}

export interface ModelOutput {
  name?: string
  data_type?: ConfigDatatype
  dims?: number[]
  reshape?: TensorReshape
  label_filename?: string
  is_shape_tensor?: boolean
  is_non_linear_format_io?: boolean
}

export interface BatchInput {
  kind?:
    | 'BATCH_ELEMENT_COUNT'
    | 'BATCH_ACCUMULATED_ELEMENT_COUNT'
    | 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO'
    | 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE'
    | 'BATCH_ITEM_SHAPE'
    | 'BATCH_ITEM_SHAPE_FLATTEN'
  target_name?: string[]
  data_type?: ConfigDatatype
  source_input?: string[]
}

export interface BatchOutput {
  target_name?: string[]
  kind?: 'BATCH_SCATTER_WITH_INPUT_SHAPE'
  source_input?: string[]
}

export interface VersionPolicy {
  latest?: { num_versions?: number }
  all?: Record<string, never>
  specific?: { versions?: number[] }
}

export interface ExecutionAccelerator {
  name?: string
  parameters?: Record<string, string>
}

export interface CudaGraphSpecShape {
  dim?: number[]
}

export interface CudaGraphSpec {
  batch_size?: number
  input?: Record<string, CudaGraphSpecShape>
  graph_lower_bound?: { batch_size?: number; input?: Record<string, CudaGraphSpecShape> }
}

export interface ModelOptimization {
  graph?: { level?: number }
  priority?: 'PRIORITY_DEFAULT' | 'PRIORITY_MAX' | 'PRIORITY_MIN'
  cuda?: {
    graphs?: boolean
    busy_wait_events?: boolean
    graph_spec?: CudaGraphSpec[]
    output_copy_stream?: boolean
  }
  execution_accelerators?: {
    gpu_execution_accelerator?: ExecutionAccelerator[]
    cpu_execution_accelerator?: ExecutionAccelerator[]
  }
  input_pinned_memory?: { enable?: boolean }
  output_pinned_memory?: { enable?: boolean }
  gather_kernel_buffer_threshold?: number
  eager_batching?: boolean
}

export interface QueuePolicy {
  timeout_action?: 'REJECT' | 'DELAY'
  default_timeout_microseconds?: number
  allow_timeout_override?: boolean
  max_queue_size?: number
}

export interface DynamicBatching {
  preferred_batch_size?: number[]
  max_queue_delay_microseconds?: number
  preserve_ordering?: boolean
  priority_levels?: number
  default_priority_level?: number
  default_queue_policy?: QueuePolicy
  /** Keys are levels in decimal. */
  priority_queue_policy?: Record<string, QueuePolicy>
}

export interface SequenceControl {
  kind?:
    | 'CONTROL_SEQUENCE_START'
    | 'CONTROL_SEQUENCE_READY'
    | 'CONTROL_SEQUENCE_END'
    | 'CONTROL_SEQUENCE_CORRID'
  int32_false_true?: number[]
  fp32_false_true?: number[]
  bool_false_true?: boolean[]
  data_type?: ConfigDatatype
}

export interface SequenceControlInput {
  name?: string
  control?: SequenceControl[]
}

export interface SequenceInitialState {
  data_type?: ConfigDatatype
  dims?: number[]
  zero_data?: boolean
  data_file?: string
  name?: string
}

export interface SequenceState {
  input_name?: string
  output_name?: string
  data_type?: ConfigDatatype
  dims?: number[]
  initial_state?: SequenceInitialState[]
  use_same_buffer_for_input_output?: boolean
  use_growable_memory?: boolean
}

export interface SequenceBatching {
  direct?: { max_queue_delay_microseconds?: number; minimum_slot_utilization?: number }
  oldest?: {
    max_candidate_sequences?: number
    preferred_batch_size?: number[]
    max_queue_delay_microseconds?: number
    preserve_ordering?: boolean
  }
  max_sequence_idle_microseconds?: number
  control_input?: SequenceControlInput[]
  state?: SequenceState[]
  iterative_sequence?: boolean
}

export interface EnsembleStep {
  model_name?: string
  model_version?: number
  input_map?: Record<string, string>
  output_map?: Record<string, string>
  model_namespace?: string
}

export interface RateLimiter {
  resources?: { name?: string; global?: boolean; count?: number }[]
  priority?: number
}

export interface InstanceGroup {
  name?: string
  kind?: 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU' | 'KIND_MODEL'
  count?: number
  rate_limiter?: RateLimiter
  gpus?: number[]
  secondary_devices?: { kind?: 'KIND_NVDLA'; device_id?: number }[]
  profile?: string[]
  passive?: boolean
  host_policy?: string
}

export interface WarmupInput {
  data_type?: ConfigDatatype
  dims?: number[]
  zero_data?: boolean
  random_data?: boolean
  input_data_file?: string
}

export interface ModelWarmup {
  name?: string
  batch_size?: number
  inputs?: Record<string, WarmupInput>
  count?: number
}

export interface MetricControl {
  metric_identifier?: { family?: string }
  histogram_options?: { buckets?: number[] }
}

export interface ModelConfig {
  name?: string
  platform?: string
  backend?: string
  runtime?: string
  version_policy?: VersionPolicy
  max_batch_size?: number
  input?: ModelInput[]
  output?: ModelOutput[]
  batch_input?: BatchInput[]
  batch_output?: BatchOutput[]
  optimization?: ModelOptimization
  dynamic_batching?: DynamicBatching
  sequence_batching?: SequenceBatching
  ensemble_scheduling?: { step?: EnsembleStep[]; max_inflight_requests?: number }
  instance_group?: InstanceGroup[]
  default_model_filename?: string
  cc_model_filenames?: Record<string, string>
  metric_tags?: Record<string, string>
  parameters?: Record<string, { string_value?: string }>
  model_warmup?: ModelWarmup[]
  model_operations?: { op_library_filename?: string[] }
  model_transaction_policy?: { decoupled?: boolean }
  model_repository_agents?: { agents?: { name?: string; parameters?: Record<string, string> }[] }
  response_cache?: { enable?: boolean }
  model_metrics?: { metric_control?: MetricControl[] }
}
