import { get, infer, input, type Question } from '../questions/question.ts'
import { INT32, unload, what } from './ask.ts'

const asked = (name: string, more: object) =>
  infer('request', name, 'request', { inputs: [INT32('IN', 1, 2)], ...more })
const step = (name: string, model: string, value: number, parameters: object) =>
  infer('sequence', name, model, { inputs: [input('IN', 'INT32', [1, 1], [value])], parameters })
const rows = (...texts: readonly string[]) => ({
  inputs: [input('TEXT', 'BYTES', [texts.length, 1], texts)],
})
const code = (name: string) =>
  infer('errors', `error of code ${name}`, 'error_codes', {
    inputs: [input('CODE', 'BYTES', [1], [name])],
  })

/** What a model sees of its request. */
export const requests: readonly Question[] = [
  asked('nothing but an input', {}),
  asked('an id', { id: 'a b/ü' }),
  asked('one of two outputs', { outputs: [{ name: 'OTHER' }] }),
  asked('parameters', { parameters: { text: 'a', whole: 3, yes: true, part: 1.5, negative: -4 } }),
  asked('a sequence by number', {
    parameters: { sequence_id: 12, sequence_start: true, sequence_end: false },
  }),
  asked('a sequence by name', {
    parameters: { sequence_id: 'twelve', sequence_start: true, sequence_end: true },
  }),
  asked('a long sequence number', { parameters: { sequence_id: 9007199254740991 } }),
  asked('a timeout', { parameters: { timeout: 5_000_000 } }),
  asked('a priority', { parameters: { priority: 3 } }),
  asked('an optional input', {
    inputs: [INT32('IN', 1), input('MORE', 'BYTES', [2], ['a', 'b'])],
  }),
  asked('an unknown output', { outputs: [{ name: 'NOPE' }] }),
  step('first step', 'sequence', 3, { sequence_id: 5, sequence_start: true }),
  step('second step', 'sequence', 4, { sequence_id: 5 }),
  step('last step', 'sequence', 5, { sequence_id: 5, sequence_end: true }),
  step('a step too many', 'sequence', 6, { sequence_id: 5 }),
  step('a sequence of one step, by name', 'sequence', 9, {
    sequence_id: 'named',
    sequence_start: true,
    sequence_end: true,
  }),
  step('runs again until it is done', 'again', 3, {}),
  step('runs once', 'again', 1, {}),
]

export const errors: readonly Question[] = [
  ...[
    'DEFAULT',
    'UNKNOWN',
    'INTERNAL',
    'NOT_FOUND',
    'INVALID_ARG',
    'UNAVAILABLE',
    'UNSUPPORTED',
    'ALREADY_EXISTS',
    'CANCELLED',
    'NOPE',
  ].map(code),
  ...what(
    'errors',
    'misbehave',
    ...['fine', 'raises', 'raises_deeper', 'raises_without_text', 'raises_from'],
    ...['raises_several_lines', 'raises_triton_error', 'asserts', 'divides', 'memory_error'],
    ...['system_exit', 'fine', 'keyboard_interrupt', 'stop_iteration', 'empty_list'],
    ...['two_for_one', 'a_tuple', 'a_dictionary', 'list_of_text'],
    ...['list_of_tensors', 'no_outputs', 'one_of_two_outputs'],
    ...['unknown_output', 'only_unknown_output', 'output_twice', 'wrong_type', 'wrong_size'],
    ...['wrong_rank', 'scalar', 'zero_elements', 'transposed', 'stepped', 'big_endian'],
    ...['read_only', 'complex_numbers', 'dates', 'unicode_array', 'a_list_for_an_array'],
    ...['error_with_outputs', 'error_of_text', 'error_of_nothing', 'error_of_several_lines'],
    ...['sender', 'no_such_method', 'fine'],
  ).map((one, i) => ({
    ...one,
    name: i === 0 || !one.name.endsWith(': fine') ? one.name : `${one.name}, after ${i}`,
  })),
  ...what(
    'errors',
    'sends_once',
    ...['at_once', 'then_the_end', 'and_returns', 'and_returns_none', 'twice', 'an_error'],
    ...['only_the_end'],
  ),
  infer('errors', 'a decoupled model over HTTP, several responses', 'square', {
    inputs: [INT32('IN', 3)],
  }),
  infer('errors', 'a decoupled model over HTTP, one response', 'square', {
    inputs: [INT32('IN', 1)],
  }),
]

/** Models that ask, load and unload other models. */
export const peers: readonly Question[] = [
  infer('ensemble', 'two Python steps', 'chain', rows('1,2,3,4', '5,6,7,8')),
  infer('ensemble', 'an error of the first step', 'chain', rows('1,2,x')),
  infer('ensemble', 'a wrong shape between the steps', 'chain', rows('1,2')),
  ...what(
    'bls',
    'bls',
    ...['sum', 'one_output', 'no_output', 'unknown_output', 'missing_input', 'wrong_shape'],
    ...['wrong_type', 'unknown_model', 'unknown_version', 'by_version', 'error_of_a_model'],
    ...['exception_of_a_model', 'everything', 'correlation_by_name', 'its_own_input'],
    ...['through_an_ensemble', 'error_through_an_ensemble'],
    ...['decoupled', 'decoupled_of_none', 'decoupled_with_errors', 'decoupled_left_early'],
    ...['decoupled_read_twice', 'decoupled_of_one_that_is_not', 'one_of_one_that_is_decoupled'],
    ...['await_outside', 'from_threads', 'a_thousand', 'large', 'kept_after', 'no_arguments'],
    ...['input_that_is_none', 'correlation_that_is_none', 'bad_parameters'],
  ),
  infer('bls', 'many coroutines at once', 'bls_async', { inputs: [INT32('IN', 20)] }),
  infer('bls', 'no coroutine', 'bls_async', { inputs: [INT32('IN', 0)] }),
  ...what(
    'control',
    'control',
    ...['ready', 'load_and_unload', 'load_with_a_config', 'load_with_files', 'load_wrongly'],
  ),
]

export const interfaces: readonly Question[] = what(
  'api',
  'api',
  ...['constants', 'kinds_of_constants', 'to_triton_type', 'to_triton_type_of_dtype'],
  ...['to_numpy_type', 'text_to_numpy', 'tensors', 'dlpack', 'shares_memory', 'responses'],
  ...['errors', 'requests', 'this_request', 'byte_tensors', 'logger'],
  ...['config_builder', 'memory'],
).concat(
  infer('api', 'api: input is writable', 'api', {
    inputs: [
      input('WHAT', 'BYTES', [1], ['input_is_writable']),
      input('NUMBER', 'FP32', [2], [1, 2]),
    ],
  }),
)

const metrics = (name: string): Question => get('metrics', name, '/metrics')
export const families: readonly Question[] = [
  metrics('families as they begin'),
  ...what('metrics', 'metrics', 'change'),
  metrics('families that changed'),
  ...what(
    'metrics',
    'metrics',
    ...['counter_backwards', 'counter_set', 'counter_observe', 'gauge_observe', 'histogram_set'],
    ...['histogram_increment', 'histogram_value', 'labels_twice', 'dropped'],
    ...['family_of_another_kind', 'family_of_another_text', 'family_again'],
    ...['family_of_a_bad_name', 'labels_that_are_none'],
    ...['labels_that_are_no_text', 'buckets_of_a_gauge'],
    ...['text_for_a_number'],
  ),
]

/** Last, because processes end. */
export const endings: readonly Question[] = [
  infer('end', 'what it says to the log', 'talks', { inputs: [INT32('IN', 1)] }),
  unload('talks'),
  infer('end', 'a model that is gone', 'talks', { inputs: [INT32('IN', 1)] }),
]
