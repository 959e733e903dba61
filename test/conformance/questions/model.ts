import { get, infer, int32, json, type Question } from './question.ts'

/** Versions, metadata and configs. */
export const versions: readonly Question[] = [
  ...['1', '2', '3'].map((version) =>
    infer('infer', `all versions, version ${version}`, `versions_all/versions/${version}`, int32),
  ),
  infer('infer', 'all versions, no version', 'versions_all', int32),
  infer('infer', 'latest version', 'versions_latest', int32),
  infer('errors', 'version outside the policy', 'versions_specific/versions/2', int32),
  infer('errors', 'version zero', 'versions_all/versions/0', int32),
  infer('infer', 'version with a zero in front', 'versions_all/versions/01', int32),
  infer('errors', 'version beyond 64 bits', 'versions_all/versions/99999999999999999999', int32),
  get('health', 'version 2 of all', '/v2/models/versions_all/versions/2/ready'),
  get('health', 'version 2 of specific', '/v2/models/versions_specific/versions/2/ready'),
  get('metadata', 'meta versions_all/2', '/v2/models/versions_all/versions/2'),
  get('metadata', 'meta versions_specific/2', '/v2/models/versions_specific/versions/2'),
  get('config', 'config versions_all/2', '/v2/models/versions_all/versions/2/config'),
  get('config', 'config of no model', '/v2/models/nope/config'),
  get('config', 'config of no version', '/v2/models/addsub_fp32/versions/5/config'),
  get('stats', 'stats of no model', '/v2/models/nope/stats'),
  get('stats', 'stats of no version', '/v2/models/addsub_fp32/versions/5/stats'),
  get('metadata', 'meta identity_string', '/v2/models/identity_string'),
  get('metadata', 'meta identity_fp16', '/v2/models/identity_fp16'),
  get('metadata', 'meta reshape', '/v2/models/reshape'),
  get('metadata', 'meta dyn', '/v2/models/dyn'),
  ...[
    'dyn',
    'dyn_prio',
    'cached',
    'warm',
    'versions_latest',
    'versions_specific',
    'identity_string',
    'addsub_nobatch',
  ].map((model) => get('config', `config ${model}`, `/v2/models/${model}/config`)),
]

/** Paths and methods. */
export const routing: readonly Question[] = [
  { ...get('routing', 'PUT of live', '/v2/health/live'), method: 'PUT', compare: 'status' },
  { ...get('routing', 'root', '/'), compare: 'status' },
  { ...get('routing', 'slash after ready', '/v2/health/ready/'), compare: 'status' },
  { ...get('routing', 'two slashes', '/v2//health/ready'), compare: 'status' },
  { ...get('routing', 'no model name', '/v2/models//ready'), compare: 'status' },
  { ...get('routing', 'upper case', '/V2/health/live'), compare: 'status' },
  { ...get('routing', 'metrics on the wrong port', '/metrics'), compare: 'status' },
  {
    ...get('routing', 'unknown word after a model', '/v2/models/addsub_fp32/nope'),
    compare: 'status',
  },
  { ...get('routing', 'index by GET', '/v2/repository/index'), compare: 'status' },
  { ...get('routing', 'load by GET', '/v2/repository/models/warm/load'), compare: 'status' },
  { ...json('routing', 'config by POST', '/v2/models/addsub_fp32/config', {}), compare: 'status' },
  { ...json('routing', 'stats by POST', '/v2/models/stats', {}), compare: 'status' },
  {
    ...json('routing', 'unknown repository action', '/v2/repository/models/warm/poke', {}),
    compare: 'status',
  },
  get('health', 'name with a percent sign', '/v2/models/addsub%5Ffp32/ready'),
  get('health', 'climbing name', '/v2/models/..%2f..%2fetc/ready'),
]
