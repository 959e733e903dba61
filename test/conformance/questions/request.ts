import { addsub, infer, int32, int32Text, type Question } from './question.ts'

/** Ids, parameters and wanted outputs. */
export const requests: readonly Question[] = [
  infer('infer', 'id comes back', 'addsub_int32', { id: 'a b/ü', ...int32 }),
  infer('infer', 'empty id', 'addsub_int32', { id: '', ...int32 }),
  infer('infer', 'unknown key is ignored', 'addsub_int32', { surprise: [{}], ...int32 }),
  infer('infer', 'eight rows', 'addsub_int32', { inputs: addsub('INT32', 8) }),
  infer('errors', 'nine rows', 'addsub_int32', { inputs: addsub('INT32', 9) }),
  infer('infer', 'custom parameters', 'addsub_int32', {
    parameters: { a: 'x', b: 3, c: true, d: 1.5 },
    ...int32,
  }),
  infer('errors', 'object parameter', 'addsub_int32', { parameters: { a: {} }, ...int32 }),
  infer('errors', 'null parameter', 'addsub_int32', { parameters: { a: null }, ...int32 }),
  infer('errors', 'array parameter', 'addsub_int32', { parameters: { a: [1] }, ...int32 }),
  infer('errors', 'parameters not an object', 'addsub_int32', { parameters: 5, ...int32 }),
  infer('infer', 'timeout and priority', 'dyn_prio', {
    parameters: { timeout: 5000000, priority: 1 },
    inputs: addsub('FP32'),
  }),
  infer('infer', 'priority beyond the levels', 'dyn_prio', {
    parameters: { priority: 9 },
    inputs: addsub('FP32'),
  }),
  infer('errors', 'priority is a string', 'dyn_prio', {
    parameters: { priority: 'x' },
    inputs: addsub('FP32'),
  }),
  infer('errors', 'timeout is negative', 'dyn_prio', {
    parameters: { timeout: -1 },
    inputs: addsub('FP32'),
  }),
  infer('infer', 'no outputs wanted', 'addsub_int32', { outputs: [], ...int32 }),
  infer('infer', 'output twice', 'addsub_int32', {
    outputs: [{ name: 'OUTPUT0' }, { name: 'OUTPUT0' }],
    ...int32,
  }),
  infer('errors', 'unknown output', 'addsub_int32', { outputs: [{ name: 'NOPE' }], ...int32 }),
  infer('errors', 'output without a name', 'addsub_int32', { outputs: [{}], ...int32 }),
  infer('errors', 'outputs not an array', 'addsub_int32', { outputs: 'OUTPUT0', ...int32 }),
  infer('errors', 'output not an object', 'addsub_int32', { outputs: ['OUTPUT0'], ...int32 }),
  infer('infer', 'all outputs binary', 'addsub_int32', {
    parameters: { binary_data_output: true },
    ...int32,
  }),
  infer('infer', 'all binary but one', 'addsub_int32', {
    parameters: { binary_data_output: true },
    outputs: [{ name: 'OUTPUT0', parameters: { binary_data: false } }, { name: 'OUTPUT1' }],
    ...int32,
  }),
  infer('errors', 'binary_data_output not a boolean', 'addsub_int32', {
    parameters: { binary_data_output: 1 },
    ...int32,
  }),
  infer('errors', 'binary_data not a boolean', 'addsub_int32', {
    outputs: [{ name: 'OUTPUT0', parameters: { binary_data: 'yes' } }],
    ...int32,
  }),
]

/** Text that is nearly a request. */
export const syntax: readonly Question[] = [
  infer('errors', 'not JSON', 'addsub_int32', 'hello'),
  infer('errors', 'JSON with a comma too many', 'addsub_int32', '{"inputs": [],}'),
  infer('errors', 'JSON cut short', 'addsub_int32', int32Text.subarray(0, 100).toString()),
  infer('errors', 'text after the JSON', 'addsub_int32', `${int32Text.toString()} tail`),
  infer('errors', 'JSON null', 'addsub_int32', 'null'),
  infer('errors', 'JSON number', 'addsub_int32', '5'),
  infer(
    'errors',
    'NaN literal',
    'identity_fp32',
    '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],"data":[NaN]}]}',
  ),
  infer('errors', 'byte order mark', 'addsub_int32', `\ufeff${int32Text.toString()}`),
  infer('infer', 'spaces around', 'addsub_int32', ` \r\n\t${int32Text.toString()}\n `),
]
