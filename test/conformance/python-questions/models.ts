import { get, input, json, type Question } from '../questions/question.ts'
import { load, unload } from './ask.ts'

/** Loaded for all that follows. */
export const SERVED = [
  'add_sub',
  'identity',
  'types',
  'bfloat',
  'dlpack',
  'strings',
  'repeat',
  'square',
  'decoupled_errors',
  'async_repeat',
  'misbehave',
  'error_codes',
  'batch',
  'request',
  'sequence',
  'iterate',
  'again',
  'arguments',
  'own_file',
  'versions',
  'metrics',
  'talks',
  'preprocess',
  'chain',
  'decoupled_chain',
  'bls',
  'bls_echo',
  'bls_async',
  'bls_decoupled',
  'control',
  'api',
  'sends_once',
]

const COMPLETED = [
  'auto_batch',
  'auto_nobatch',
  'auto_decoupled',
  'auto_optional',
  'auto_partial',
  'auto_again',
]

const REFUSED = [
  'auto_fewer',
  'auto_other_type',
  'auto_other_dims',
  'auto_other_name',
  'auto_sequence',
  'auto_two_policies',
  'auto_unknown_property',
  'auto_no_dims',
  'auto_bad_type',
  'auto_raises',
  'auto_returns_nothing',
  'auto_returns_text',
  'auto_told',
  'auto_none',
]

const BROKEN = [
  'fails_in_initialize',
  'fails_with_triton_error',
  'fails_on_import',
  'fails_in_syntax',
  'has_no_class',
  'has_no_execute',
  'has_execute_as_data',
  'needs_more_arguments',
  'exits_in_initialize',
  'dies_in_initialize',
  'has_another_name',
]

const index: Question = json('index', 'index of all', '/v2/repository/index', {})
const config = (model: string): Question =>
  get('config', `config of ${model}`, `/v2/models/${model}/config`)
const metadata = (model: string): Question =>
  get('config', `metadata of ${model}`, `/v2/models/${model}`)

/** Configs as the backend leaves them. */
export const loading: readonly Question[] = [
  ...SERVED.map(load),
  ...['add_sub', 'repeat', 'arguments', 'own_file', 'iterate', 'bls', 'batch'].map(config),
  ...['add_sub', 'square', 'types'].map(metadata),
]

export const completing: readonly Question[] = COMPLETED.flatMap((model) => [
  load(model),
  config(model),
  metadata(model),
  json('infer', `infer with ${model}`, `/v2/models/${model}/infer`, {
    inputs: [input('IN', 'INT32', model === 'auto_batch' ? [1, 2] : [2], [1, 2])],
  }),
  unload(model),
])

/** What does not load, and the reason that Triton gives. */
export const refusing: readonly Question[] = [...REFUSED.map(load), ...BROKEN.map(load), index]
