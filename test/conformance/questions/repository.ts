import { addsub, get, infer, int32, json, type Question } from './question.ts'

const loadWith = (config: unknown, files: Record<string, string> = {}) => ({
  parameters: { config: typeof config === 'string' ? config : JSON.stringify(config), ...files },
})
const small = {
  name: 'addsub_int32',
  backend: 'onnxruntime',
  max_batch_size: 2,
  input: ['INPUT0', 'INPUT1'].map((name) => ({ name, data_type: 'TYPE_INT32', dims: [16] })),
  output: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, data_type: 'TYPE_INT32', dims: [16] })),
}
const admin = (name: string, path: string, body?: unknown): Question =>
  body === undefined
    ? { group: 'repository', name, method: 'POST', path }
    : { ...json('repository', name, path, body), headers: {} }
const LOAD = '/v2/repository/models/addsub_int32/load'
/** Loads and unloads; a model that is changed is put back by a later question. */
export const repository: readonly Question[] = [
  admin('index not only ready', '/v2/repository/index', { ready: false }),
  admin('index with a body that is no JSON', '/v2/repository/index', 'x'),
  admin('index with ready as a string', '/v2/repository/index', { ready: 'yes' }),
  admin('smaller batches', LOAD, loadWith(small)),
  infer('repository', 'three rows are too many now', 'addsub_int32', {
    inputs: addsub('INT32', 3),
  }),
  get('repository', 'config of the smaller batches', '/v2/models/addsub_int32/config'),
  // The files did not change: Triton keeps what the last load said.
  admin('load without a config keeps the last one', LOAD),
  get('repository', 'config is the last one', '/v2/models/addsub_int32/config'),
  admin('larger batches again', LOAD, loadWith({ ...small, max_batch_size: 8 })),
  infer('repository', 'three rows are fine again', 'addsub_int32', { inputs: addsub('INT32', 3) }),
  admin('load twice', LOAD),
  admin('load with an unknown parameter', LOAD, { parameters: { surprise: 'x' } }),
  admin('load with config as an object', LOAD, { parameters: { config: {} } }),
  admin('load with a file and no config', LOAD, { parameters: { 'file:1/model.onnx': 'AAAA' } }),
  admin('load with a number for a parameter', LOAD, { parameters: { config: 5 } }),
  admin('load with an unknown field', LOAD, loadWith({ ...small, surprise: 1 })),
  admin('load with a negative batch size', LOAD, loadWith({ ...small, max_batch_size: -1 })),
  admin('load with a body that is no JSON', LOAD, 'x'),
  admin('load with parameters that are none', LOAD, { parameters: 5 }),
  infer('repository', 'the old one still serves', 'addsub_int32', int32),
  admin(
    'only version 2',
    '/v2/repository/models/versions_all/load',
    loadWith({
      ...small,
      name: 'versions_all',
      max_batch_size: 8,
      version_policy: { specific: { versions: [2] } },
    }),
  ),
  get('repository', 'version 1 is gone', '/v2/models/versions_all/versions/1/ready'),
  get('repository', 'version 2 is here', '/v2/models/versions_all/versions/2/ready'),
  infer('repository', 'infer on the version that is gone', 'versions_all/versions/1', int32),
  get('repository', 'meta with version 2 only', '/v2/models/versions_all'),
  admin(
    'all versions again',
    '/v2/repository/models/versions_all/load',
    loadWith({ ...small, name: 'versions_all', max_batch_size: 8, version_policy: { all: {} } }),
  ),
  get('repository', 'meta with all versions', '/v2/models/versions_all'),
  admin('unload with dependents', '/v2/repository/models/labeled/unload', {
    parameters: { unload_dependents: true },
  }),
  admin('unload with dependents as a string', '/v2/repository/models/labeled/unload', {
    parameters: { unload_dependents: 'x' },
  }),
  get('repository', 'meta after unload', '/v2/models/labeled'),
  get('repository', 'config after unload', '/v2/models/labeled/config'),
  get('repository', 'stats after unload', '/v2/models/labeled/stats'),
  get('repository', 'version ready after unload', '/v2/models/labeled/versions/1/ready'),
  infer('repository', 'infer on a version after unload', 'labeled/versions/1', {
    inputs: addsub('FP32'),
  }),
  admin('unload twice', '/v2/repository/models/labeled/unload'),
  admin('load again', '/v2/repository/models/labeled/load'),
  get('repository', 'meta after load', '/v2/models/labeled'),
  admin('load a name that climbs', '/v2/repository/models/..%2fx/load'),
]

const setting = (name: string, body: unknown): Question => ({
  ...json('admin', name, '/v2/logging', body),
  headers: {},
})
export const logging: readonly Question[] = [
  setting('log file over the network', { log_file: '/tmp/x.log' }),
  setting('log level', { log_verbose_level: 1 }),
  setting('log level back', { log_verbose_level: 0 }),
  setting('log level as a string', { log_verbose_level: '1' }),
  setting('log level below zero', { log_verbose_level: -1 }),
  setting('log format', { log_format: 'ISO8601' }),
  setting('log format back', { log_format: 'default' }),
  setting('log format unknown', { log_format: 'xml' }),
  setting('log info as a string', { log_info: 'true' }),
  setting('log nothing', {}),
  setting('log settings that are no JSON', '{'),
]
