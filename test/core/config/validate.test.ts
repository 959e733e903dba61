import { describe, expect, test } from 'vitest'
import { normalizeConfig } from '../../../core/config/normalize.ts'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { validateConfig, validatePartialConfig } from '../../../core/config/validate.ts'
import { ServerError } from '../../../core/errors.ts'

const HEAD = 'backend: "identity" max_batch_size: 4'
const X = 'input { name: "x" data_type: TYPE_FP32 dims: [2, -1] }'
const Y = 'output { name: "y" data_type: TYPE_FP32 dims: 1 }'

function validate(text: string, gpus: number[] = []): void {
  const places = new Map()
  const parsed = parseConfig(text, { places })
  validateConfig(normalizeConfig(parsed, { modelName: 'm' }), { modelName: 'm', gpus, places })
}

function problem(text: string, gpus?: number[]): string {
  try {
    validate(text, gpus)
  } catch (error) {
    if (error instanceof ServerError && error.code === 'INVALID_ARG') return error.message
    throw error
  }
  return ''
}

const DYN = (body: string) => `${HEAD} ${X} ${Y} dynamic_batching { ${body} }`
const SEQ = (body: string) => `${HEAD} ${X} ${Y} sequence_batching { ${body} }`
const IN = (body: string) => `${HEAD} input { ${body} } ${Y}`
const GROUP = (body: string) => `${HEAD} ${X} ${Y} instance_group { ${body} }`
const WARM = (body: string) =>
  `${HEAD} ${X} ${Y} model_warmup { batch_size: 1 inputs { key: "x" value { ${body} } } }`
const METRIC = (body: string) => `${HEAD} ${X} ${Y} model_metrics { metric_control { ${body} } }`
const START = 'kind: CONTROL_SEQUENCE_START'

const cases: [text: string, message: string][] = [
  [
    `name: "n" ${HEAD}`,
    "unexpected directory name 'm' for model 'n', directory name must equal model name",
  ],
  ['platform: "x"', "unexpected platform type 'x' for m"],
  [
    'platform: "ensemble" backend: "b"',
    "Ensemble model 'm' must have platform type 'ensemble' and empty backend type",
  ],
  [
    'platform: "x" backend: "onnxruntime"',
    "unexpected 'platform' and 'backend' pair, got:x, onnxruntime",
  ],
  ['backend: "b" max_batch_size: -1', "'max_batch_size' must be non-negative value for m"],
  [DYN('preferred_batch_size: 0'), 'dynamic batching preferred size must be positive for m'],
  [
    DYN('preferred_batch_size: [4, 5]'),
    'dynamic batching preferred size must be <= max batch size for m',
  ],
  [DYN('priority_levels: 2'), 'default priority level must be in range [1, 2] for m'],
  [
    DYN('priority_levels: 2 default_priority_level: 3'),
    'default priority level must be in range [1, 2] for m',
  ],
  [
    DYN('priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 }'),
    'priority queue policy must have priority level in range [1, 2] for m',
  ],
  [
    DYN('priority_levels: 2 default_priority_level: 1 preserve_ordering: true'),
    "Only one priority level is allowed when 'preserve_ordering' is true for m",
  ],
  [
    DYN(
      'preserve_ordering: true default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 1 }',
    ),
    "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for m",
  ],
  [
    `${SEQ('')} response_cache { enable: true }`,
    'Response Cache does not currently support model m with sequence batching scheduler. Please disable the response cache.',
  ],
  [
    `${HEAD} response_cache { enable: true } model_transaction_policy { decoupled: true }`,
    "Response Cache does not currently support model m with 'decoupled' transaction policy. Please disable the response cache.",
  ],
  [SEQ('control_input { }'), 'sequence batching control tensor must have a name for m'],
  [
    SEQ(`control_input [ { name: "a" }, { name: "a" } ]`),
    "sequence batching control tensor 'a' is specified for multiple control kinds for m",
  ],
  [
    SEQ(
      `control_input { name: "a" control [ { ${START} bool_false_true: [0, 1] }, { ${START} } ] }`,
    ),
    'sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m',
  ],
  [
    SEQ(`control_input { name: "a" control { ${START} } }`),
    "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or 'bool_false_true' for CONTROL_SEQUENCE_START for m",
  ],
  [
    SEQ(
      `control_input { name: "a" control { ${START} int32_false_true: [0, 1] fp32_false_true: [0, 1] } }`,
    ),
    "sequence batching specifies more than one from 'int32_false_true', 'fp32_false_true' and 'bool_false_true' for CONTROL_SEQUENCE_START for m",
  ],
  [
    SEQ(`control_input { name: "a" control { ${START} int32_false_true: 0 } }`),
    "sequence batching control 'int32_false_true' must have exactly 2 entries for CONTROL_SEQUENCE_START for m",
  ],
  [
    SEQ(
      'control_input { name: "a" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 } }',
    ),
    'unexpected data type for control CONTROL_SEQUENCE_CORRID for m. Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING',
  ],
  [
    SEQ('oldest { preferred_batch_size: 5 }'),
    'sequence batching preferred batch size must be <= max batch size for m',
  ],
  [
    SEQ('direct { minimum_slot_utilization: 1.5 }'),
    'sequence batching minimum slot utilization must be in range (0.0, 1.0] for m',
  ],
  [
    SEQ('direct { minimum_slot_utilization: nan }'),
    'sequence batching minimum slot utilization must be in range (0.0, 1.0] for m',
  ],
  [METRIC(''), "metric control must specify 'metric_identifier'"],
  [METRIC('metric_identifier { }'), "metric identifier must specify non-empty 'family'"],
  [METRIC('metric_identifier { family: "f" }'), "metric control must specify 'histogram_options'"],
  [
    METRIC('metric_identifier { family: "f" } histogram_options { }'),
    "histogram options must specify non-empty 'buckets'",
  ],
  [
    METRIC('metric_identifier { family: "f" } histogram_options { buckets: [2, 1] }'),
    "histogram options must specify 'buckets' in strictly increasing order",
  ],
  [IN('data_type: TYPE_FP32 dims: 1'), "model input must specify 'name' for m"],
  [IN('name: "x" dims: 1'), "model input 'x' must specify 'data_type' for m"],
  [IN('name: "x" data_type: TYPE_FP32'), "model input 'x' must specify 'dims' for m"],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 0'),
    "model input 'x' dimension must be integer >= 1, or -1 to indicate a variable-size dimension for m",
  ],
  [
    IN(`name: "x" data_type: TYPE_FP32 dims: [${'1,'.repeat(32)}1]`),
    "model input 'x' has 33 dims, the limit is 32 for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 6 reshape { shape: [2, 2] }'),
    "model input 'x' has different size for dims and reshape for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: [2, -1] reshape { shape: [-1, 2] }'),
    "model input 'x' has different size for dims and reshape for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: [-1, -1] reshape { shape: -1 }'),
    "model input 'x' has different number of variable-size dimensions for dims and reshape for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 4 reshape { shape: 0 }'),
    "model input 'x' reshape dimensions must be integer >= 1, or -1 to indicate a variable-size dimension for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: [4294967296, 4294967296] reshape { shape: 1 }'),
    "element count for tensor 'x dims' exceeds maximum size of 9007199254740991 for m",
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 1 format: FORMAT_NHWC'),
    'model input NHWC/NCHW require 3 dims for m',
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 1 is_shape_tensor: true'),
    'shape tensors are only supported for TensorRT platform for m',
  ],
  [
    IN('name: "x" data_type: TYPE_FP32 dims: 1 is_non_linear_format_io: true'),
    'Non-linear IO format is only supported for the TensorRT platform for m',
  ],
  [
    `backend: "b" ${Y} input { name: "x" data_type: TYPE_FP32 dims: 1 reshape { } }`,
    "model input 'x' cannot have empty reshape for non-batching model as scalar tensors are not supported for m",
  ],
  [`${HEAD} ${X} ${X} ${Y}`, "model input 'x' is specified more than once for m"],
  [
    `${HEAD} ${X} ${Y} batch_input { data_type: TYPE_FP32 }`,
    "batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got 0 for m",
  ],
  [
    `${HEAD} ${X} ${Y} batch_input { source_input: "x" }`,
    'batch input data type must be TYPE_INT32 or TYPE_FP32 for m',
  ],
  [
    `${HEAD} ${X} ${Y} batch_input { source_input: "z" data_type: TYPE_FP32 }`,
    "unknown source input name 'z' for m",
  ],
  [
    `${HEAD} ${X} ${Y} batch_output { source_input: "x" target_name: "z" }`,
    "unknown target output name 'z' for m",
  ],
  [
    `${HEAD} ${X} ${Y} batch_output { source_input: "x" target_name: ["y", "y"] }`,
    "target output name 'y' can only be specified once for m",
  ],
  [
    GROUP('kind: KIND_CPU gpus: 0'),
    'instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs',
  ],
  [
    GROUP('kind: KIND_MODEL gpus: 0'),
    'instance group m_0 of model m has kind KIND_MODEL but specifies one or more GPUs',
  ],
  [
    GROUP('kind: KIND_GPU'),
    'instance group m_0 of model m has kind KIND_GPU but no GPUs are available',
  ],
  [
    GROUP('profile: "1"'),
    'instance group m_0 of model m and platform specifies profile field which is only supported for TensorRT models',
  ],
  [
    GROUP('count: 2147483647'),
    'instance groups of model m ask for 2147483647 instances, the limit is 1024',
  ],
  [
    WARM('data_type: TYPE_FP32 dims: -1 zero_data: true'),
    "warmup setting expects all variable-size dimensions are specified for input 'x' for m",
  ],
  [
    WARM('data_type: TYPE_FP32 dims: 1'),
    "warmup setting expects input 'x' to have input_data_type set for m",
  ],
  [
    WARM('data_type: TYPE_FP32 dims: [65536, 65536] zero_data: true'),
    "warmup setting '' needs 17179869184 bytes, the limit is 2147483647 for m",
  ],
]
test.each(cases)('%s', (text, message) => {
  const got = problem(text)
  expect(got.replace(/ \(config\.pbtxt:\d+:\d+\)$/, '')).toBe(message)
})

test('a sound config passes', () => {
  expect(
    problem(
      `name: "m" ${DYN('preferred_batch_size: [2, 4] priority_levels: 2 default_priority_level: 2')}`,
    ),
  ).toBe('')
  expect(problem(`${GROUP('kind: KIND_GPU gpus: [1]')}`, [0, 1])).toBe('')
  expect(
    problem(
      `backend: "b" ${Y} input { name: "x" data_type: TYPE_FP32 dims: [2, 4, -1, 6] reshape { shape: [8, -1, 1, 6] } }`,
    ),
  ).toBe('')
})

test('a GPU that is not there is named together with those that are', () => {
  expect(problem(GROUP('kind: KIND_GPU gpus: [7]'), [0, 1])).toMatch(
    /invalid or unsupported gpu id 7\. .* are: 0, 1/,
  )
})

test('an error ends with the place of the field', () => {
  expect(
    problem(`${HEAD}\n${X}\n${Y}\ndynamic_batching {\n  preferred_batch_size: [ 1,\n 9 ]\n}`),
  ).toBe('dynamic batching preferred size must be <= max batch size for m (config.pbtxt:6:2)')
})

test('what auto-completion fills may still be missing before the model is loaded', () => {
  const config = normalizeConfig(parseConfig(IN('name: "x"')), { modelName: 'm' })
  expect(() => validatePartialConfig(config, { modelName: 'm' })).not.toThrow()
  expect(() => validateConfig(config, { modelName: 'm' })).toThrow(
    "model input 'x' must specify 'data_type'",
  )
})

describe('no field leads out of the model folder', () => {
  const fields = [
    'runtime: "%"',
    'default_model_filename: "%"',
    'cc_model_filenames { key: "7.5" value: "%" }',
    'output { name: "y" data_type: TYPE_FP32 dims: 1 label_filename: "%" }',
    'sequence_batching { state { initial_state { data_file: "%" } } }',
    'model_warmup { inputs { key: "x" value { input_data_file: "%" } } }',
    'model_operations { op_library_filename: "%" }',
  ]
  const paths = [
    '../x',
    '/etc/passwd',
    'a/../../b',
    String.raw`a\\b`,
    String.raw`a\000b`,
    'file:///x',
    '%2e%2e/x',
  ]
  test.each(fields)('%s', (field) => {
    for (const path of paths) {
      expect(problem(`${HEAD} ${field.replace('%', () => path)}`), path).toMatch(/ for m /)
    }
    expect(
      problem(
        `${HEAD} ${X} ${field.startsWith('output') ? '' : Y} ${field.replace('%', () => 'a/b.txt')}`,
      ),
    ).toBe('')
  })
})

describe('ensembles', () => {
  const ensemble = (steps: string, more = '') =>
    `platform: "ensemble" max_batch_size: 4 input { name: "A" data_type: TYPE_FP32 dims: 1 } output { name: "B" data_type: TYPE_FP32 dims: 1 } ensemble_scheduling { ${steps} } ${more}`
  const step = (from: string, to: string) =>
    `step { model_name: "s" model_version: -1 input_map { key: "i" value: "${from}" } output_map { key: "o" value: "${to}" } }`
  const broken: [steps: string, more: string, message: string][] = [
    ['', '', "must specify 'step' for ensemble 'm'"],
    ['step { }', '', "must specify 'model_name' in step 0 of ensemble 'm'"],
    ['step { model_name: "s" }', '', "must specify 'input_map' in step 0 of ensemble 'm'"],
    [
      'step { model_name: "s" input_map { } }',
      '',
      "must specify 'output_map' in step 0 of ensemble 'm'",
    ],
    [
      step('A', 'B') + step('A', 'B'),
      '',
      "ensemble tensor 'B' can appear in an output map only once for ensemble 'm' step 1",
    ],
    [step('C', 'B'), '', "ensemble input 'A' for ensemble m is not used"],
    [step('A', 'C'), '', "ensemble output 'B' for ensemble m is not used"],
    [
      step('A', 'C') + step('D', 'B'),
      '',
      "output 'B' for ensemble 'm' is not written: at least one of its depending tensors, 'D', is not connected",
    ],
    [
      step('A', 'D') + step('B', 'C') + step('C', 'B'),
      '',
      "output 'B' for ensemble 'm' is not written",
    ],
    [step('A', 'B') + step('A', 'C'), '', "ensemble tensor 'C' is unused in ensemble 'm'"],
    [
      step('A', 'B'),
      'instance_group { }',
      "instance group should not be specified for ensemble 'm'",
    ],
    [step('A', 'B'), 'optimization { }', "optimization should not be specified for ensemble 'm'"],
    [step('A', 'B'), 'model_warmup { }', "model_warmup can not be specified for ensemble 'm'"],
  ]
  test.each(broken)('%s %s', (steps, more, message) => {
    expect(problem(ensemble(steps, more)).replace(/ \(config.*\)$/, '')).toBe(message)
  })

  test('a chain and a diamond pass', () => {
    expect(problem(ensemble(step('A', 'C') + step('C', 'B')))).toBe('')
    const join =
      'step { model_name: "j" input_map [ { key: "1" value: "C" }, { key: "2" value: "D" } ] output_map { key: "o" value: "B" } }'
    expect(problem(ensemble(step('A', 'C') + step('A', 'D') + join))).toBe('')
  })

  test('steps are for ensembles, and ensembles have steps', () => {
    expect(problem(`backend: "b" ensemble_scheduling { ${step('A', 'B')} }`)).toMatch(
      /^ensemble scheduling cannot be set for model 'm' whose platform is not ensemble/,
    )
    expect(problem('platform: "ensemble"')).toMatch(
      /^ensemble scheduling must be set for ensemble m whose platform is ensemble/,
    )
  })

  test('a step of thousands of tensors costs no more than its text', () => {
    const entries = (map: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${map}{key:"${i}"value:"${map}${i}"}`).join('')
    const text = ensemble(
      `step { model_name: "s" ${entries('input_map', 9000)} ${entries('output_map', 9000)} }`,
    )
    expect(problem(text)).toMatch(/^ensemble input 'A' for ensemble m is not used/)
  })
})

test('a name without end does not make a message without end', () => {
  expect(problem(`name: "${'x'.repeat(100_000)}" ${HEAD}`).length).toBeLessThan(500)
})
