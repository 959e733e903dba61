import type { EnumName } from './enums.ts'

export type ScalarKind =
  | 'string'
  | 'bool'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float'
  | 'double'

/** How the config endpoint prints a field where that differs from its kind's rule. */
export type JsonForm = 'quoted' | 'omit-default'

/** One field of a message of model_config.proto. */
export interface Field {
  readonly name: string
  /** Field number in the proto. */
  readonly number: number
  readonly label: 'one' | 'many' | 'map'
  /** Kind of the value: of an element for `many`, of the map's value for `map`. */
  readonly kind: ScalarKind | 'enum' | 'message'
  readonly enumName?: EnumName
  /** Name of the message in {@link MESSAGES}. */
  readonly message?: string
  /** Kind of a map's keys. */
  readonly key?: 'string' | 'uint64'
  /** At most one field of a group may be given; such fields are printed only where set. */
  readonly oneof?: string
  /**
   * `quoted`: Triton leaves these 64-bit integers as JSON strings. `omit-default`: younger than the Triton whose
   * answers we give, so not printed while unset. Default: printed as the kind says.
   */
  readonly json?: JsonForm
}

type Options = Pick<Field, 'oneof' | 'json'>

const scalar = (label: Field['label']) => {
  return (name: string, number: number, kind: ScalarKind, options?: Options): Field => {
    return { name, number, label, kind, ...options }
  }
}
const one = scalar('one')
const many = scalar('many')

function choice(name: string, number: number, enumName: EnumName): Field {
  return { name, number, label: 'one', kind: 'enum', enumName }
}

function sub(name: string, number: number, message: string, options?: Options): Field {
  return { name, number, label: 'one', kind: 'message', message, ...options }
}

function subs(name: string, number: number, message: string): Field {
  return { name, number, label: 'many', kind: 'message', message }
}

function texts(name: string, number: number): Field {
  return { name, number, label: 'map', kind: 'string', key: 'string' }
}

function table(name: string, number: number, message: string, key: Field['key'] = 'string'): Field {
  return { name, number, label: 'map', kind: 'message', message, key }
}

/**
 * Every message and field of model_config.proto, in the order in which the config endpoint prints them: parser,
 * printer and JSON codec all read this table. Fields are proto3: a missing scalar means zero, '' or false.
 */
export const MESSAGES: Readonly<Record<string, readonly Field[]>> = {
  ModelConfig: [
    one('name', 1, 'string'),
    one('platform', 2, 'string'),
    one('backend', 17, 'string'),
    one('runtime', 25, 'string'),
    sub('version_policy', 3, 'VersionPolicy'),
    one('max_batch_size', 4, 'int32'),
    subs('input', 5, 'ModelInput'),
    subs('output', 6, 'ModelOutput'),
    subs('batch_input', 20, 'BatchInput'),
    subs('batch_output', 21, 'BatchOutput'),
    sub('optimization', 12, 'Optimization'),
    sub('dynamic_batching', 11, 'DynamicBatching', { oneof: 'scheduling_choice' }),
    sub('sequence_batching', 13, 'SequenceBatching', { oneof: 'scheduling_choice' }),
    sub('ensemble_scheduling', 15, 'Ensembling', { oneof: 'scheduling_choice' }),
    subs('instance_group', 7, 'InstanceGroup'),
    one('default_model_filename', 8, 'string'),
    texts('cc_model_filenames', 9),
    texts('metric_tags', 10),
    table('parameters', 14, 'Parameter'),
    subs('model_warmup', 16, 'Warmup'),
    sub('model_operations', 18, 'Operations'),
    sub('model_transaction_policy', 19, 'TransactionPolicy'),
    sub('model_repository_agents', 23, 'RepositoryAgents'),
    sub('response_cache', 24, 'ResponseCache'),
    sub('model_metrics', 26, 'Metrics'),
  ],
  ModelInput: [
    one('name', 1, 'string'),
    choice('data_type', 2, 'DataType'),
    choice('format', 3, 'Format'),
    many('dims', 4, 'int64'),
    sub('reshape', 5, 'Reshape'),
    one('is_shape_tensor', 6, 'bool'),
    one('allow_ragged_batch', 7, 'bool'),
    one('optional', 8, 'bool'),
    one('is_non_linear_format_io', 9, 'bool'),
  ],
  ModelOutput: [
    one('name', 1, 'string'),
    choice('data_type', 2, 'DataType'),
    many('dims', 3, 'int64'),
    sub('reshape', 5, 'Reshape'),
    one('label_filename', 4, 'string'),
    one('is_shape_tensor', 6, 'bool'),
    one('is_non_linear_format_io', 7, 'bool'),
  ],
  Reshape: [many('shape', 1, 'int64')],
  BatchInput: [
    choice('kind', 1, 'BatchInputKind'),
    many('target_name', 2, 'string'),
    choice('data_type', 3, 'DataType'),
    many('source_input', 4, 'string'),
  ],
  BatchOutput: [
    many('target_name', 1, 'string'),
    choice('kind', 2, 'BatchOutputKind'),
    many('source_input', 3, 'string'),
  ],
  VersionPolicy: [
    sub('latest', 1, 'Latest', { oneof: 'policy_choice' }),
    sub('all', 2, 'All', { oneof: 'policy_choice' }),
    sub('specific', 3, 'Specific', { oneof: 'policy_choice' }),
  ],
  Latest: [one('num_versions', 1, 'uint32')],
  All: [],
  Specific: [many('versions', 1, 'int64')],
  Optimization: [
    sub('graph', 1, 'Graph'),
    choice('priority', 2, 'ModelPriority'),
    sub('cuda', 3, 'Cuda'),
    sub('execution_accelerators', 4, 'ExecutionAccelerators'),
    sub('input_pinned_memory', 5, 'PinnedMemory'),
    sub('output_pinned_memory', 6, 'PinnedMemory'),
    one('gather_kernel_buffer_threshold', 7, 'uint32'),
    one('eager_batching', 8, 'bool'),
  ],
  Graph: [one('level', 1, 'int32')],
  Cuda: [
    one('graphs', 1, 'bool'),
    one('busy_wait_events', 2, 'bool'),
    subs('graph_spec', 3, 'GraphSpec'),
    one('output_copy_stream', 4, 'bool'),
  ],
  GraphSpec: [
    one('batch_size', 1, 'int32'),
    table('input', 2, 'GraphSpecShape'),
    sub('graph_lower_bound', 3, 'GraphSpecLowerBound'),
  ],
  GraphSpecLowerBound: [one('batch_size', 1, 'int32'), table('input', 2, 'GraphSpecShape')],
  GraphSpecShape: [many('dim', 1, 'int64', { json: 'quoted' })],
  ExecutionAccelerators: [
    subs('gpu_execution_accelerator', 1, 'Accelerator'),
    subs('cpu_execution_accelerator', 2, 'Accelerator'),
  ],
  Accelerator: [one('name', 1, 'string'), texts('parameters', 2)],
  PinnedMemory: [one('enable', 1, 'bool')],
  QueuePolicy: [
    choice('timeout_action', 1, 'TimeoutAction'),
    one('default_timeout_microseconds', 2, 'uint64'),
    one('allow_timeout_override', 3, 'bool'),
    one('max_queue_size', 4, 'uint32'),
  ],
  DynamicBatching: [
    many('preferred_batch_size', 1, 'int32'),
    one('max_queue_delay_microseconds', 2, 'uint64'),
    one('preserve_ordering', 3, 'bool'),
    one('priority_levels', 4, 'uint64'),
    one('default_priority_level', 5, 'uint64'),
    sub('default_queue_policy', 6, 'QueuePolicy'),
    table('priority_queue_policy', 7, 'QueuePolicy', 'uint64'),
  ],
  SequenceBatching: [
    sub('direct', 3, 'StrategyDirect', { oneof: 'strategy_choice' }),
    sub('oldest', 4, 'StrategyOldest', { oneof: 'strategy_choice' }),
    one('max_sequence_idle_microseconds', 1, 'uint64'),
    subs('control_input', 2, 'ControlInput'),
    subs('state', 5, 'State'),
    one('iterative_sequence', 6, 'bool'),
  ],
  StrategyDirect: [
    one('max_queue_delay_microseconds', 1, 'uint64'),
    one('minimum_slot_utilization', 2, 'float'),
  ],
  StrategyOldest: [
    one('max_candidate_sequences', 1, 'int32'),
    many('preferred_batch_size', 2, 'int32'),
    one('max_queue_delay_microseconds', 3, 'uint64'),
    one('preserve_ordering', 4, 'bool'),
  ],
  ControlInput: [one('name', 1, 'string'), subs('control', 2, 'Control')],
  Control: [
    choice('kind', 1, 'ControlKind'),
    many('int32_false_true', 2, 'int32'),
    many('fp32_false_true', 3, 'float'),
    many('bool_false_true', 5, 'bool'),
    choice('data_type', 4, 'DataType'),
  ],
  State: [
    one('input_name', 1, 'string'),
    one('output_name', 2, 'string'),
    choice('data_type', 3, 'DataType'),
    many('dims', 4, 'int64'),
    subs('initial_state', 5, 'InitialState'),
    one('use_same_buffer_for_input_output', 6, 'bool'),
    one('use_growable_memory', 7, 'bool'),
  ],
  InitialState: [
    choice('data_type', 1, 'DataType'),
    many('dims', 2, 'int64', { json: 'quoted' }),
    one('name', 5, 'string'),
    one('zero_data', 3, 'bool', { oneof: 'state_data' }),
    one('data_file', 4, 'string', { oneof: 'state_data' }),
  ],
  Ensembling: [
    subs('step', 1, 'Step'),
    one('max_inflight_requests', 2, 'uint32', { json: 'omit-default' }),
  ],
  Step: [
    one('model_name', 1, 'string'),
    one('model_version', 2, 'int64'),
    texts('input_map', 3),
    texts('output_map', 4),
    one('model_namespace', 5, 'string'),
  ],
  InstanceGroup: [
    one('name', 1, 'string'),
    choice('kind', 4, 'InstanceGroupKind'),
    one('count', 2, 'int32'),
    sub('rate_limiter', 6, 'RateLimiter'),
    many('gpus', 3, 'int32'),
    subs('secondary_devices', 8, 'SecondaryDevice'),
    many('profile', 5, 'string'),
    one('passive', 7, 'bool'),
    one('host_policy', 9, 'string'),
  ],
  RateLimiter: [subs('resources', 1, 'Resource'), one('priority', 2, 'uint32')],
  Resource: [one('name', 1, 'string'), one('global', 2, 'bool'), one('count', 3, 'uint32')],
  SecondaryDevice: [
    choice('kind', 1, 'SecondaryDeviceKind'),
    one('device_id', 2, 'int64', { json: 'quoted' }),
  ],
  Parameter: [one('string_value', 1, 'string')],
  Warmup: [
    one('name', 1, 'string'),
    one('batch_size', 2, 'uint32'),
    table('inputs', 3, 'WarmupInput'),
    one('count', 4, 'uint32'),
  ],
  WarmupInput: [
    choice('data_type', 1, 'DataType'),
    many('dims', 2, 'int64'),
    one('zero_data', 3, 'bool', { oneof: 'input_data_type' }),
    one('random_data', 4, 'bool', { oneof: 'input_data_type' }),
    one('input_data_file', 5, 'string', { oneof: 'input_data_type' }),
  ],
  Operations: [many('op_library_filename', 1, 'string')],
  TransactionPolicy: [one('decoupled', 1, 'bool')],
  RepositoryAgents: [subs('agents', 1, 'Agent')],
  Agent: [one('name', 1, 'string'), texts('parameters', 2)],
  ResponseCache: [one('enable', 1, 'bool')],
  Metrics: [subs('metric_control', 1, 'MetricControl')],
  MetricControl: [
    sub('metric_identifier', 1, 'MetricIdentifier'),
    sub('histogram_options', 2, 'HistogramOptions', { oneof: 'metric_options' }),
  ],
  MetricIdentifier: [one('family', 1, 'string')],
  HistogramOptions: [many('buckets', 1, 'double')],
}
