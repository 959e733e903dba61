/** What a model answers: the values of each of its responses, by output. */
export type Responses = readonly Readonly<Record<string, readonly number[]>>[]

export interface MixedModel {
  readonly config: string
  readonly versions?: readonly number[]
  /** What may be answered to `xs`, any of these; `version` as asked for, '' = none. Not for models of sequences. */
  readonly expected?: (xs: readonly number[], version: string) => readonly Responses[]
  /** X is one number alone, without a batch dimension. */
  readonly scalar?: boolean
}

const io = (name: string): string => `{ name: "${name}" data_type: TYPE_INT32 dims: [ -1 ] }`
const parameter = (key: string, value: string | number): string =>
  `parameters { key: "${key}" value { string_value: "${String(value).replaceAll('"', '\\"')}" } }`

function mixed(facts: Record<string, string | number>, extra: string, rows = 8): string {
  const all = { nereid_memory_bytes: 10, mul: 1, add: 0, ...facts }
  return `backend: "mixed" max_batch_size: ${rows} input [ ${io('X')} ] output [ ${io('Y')} ]
${Object.entries(all)
  .map(([key, value]) => parameter(key, value))
  .join('\n')}
${extra}`
}

type Step = readonly [
  model: string,
  inputs: Readonly<Record<string, string>>,
  outputs: Readonly<Record<string, string>>,
]

function ensemble(steps: readonly Step[], outputs: string, extra = '', rows = 8): string {
  const map = (kind: string, names: Readonly<Record<string, string>>): string =>
    Object.entries(names)
      .map(([key, value]) => `${kind}_map { key: "${key}" value: "${value}" }`)
      .join(' ')
  const parts = steps.map(
    ([model, from, to]) =>
      `{ model_name: "${model}" model_version: -1 ${map('input', from)} ${map('output', to)} }`,
  )
  return `platform: "ensemble" max_batch_size: ${rows} input [ ${io('X')} ]
output [ ${outputs.split(' ').map(io).join(', ')} ]
ensemble_scheduling { step [ ${parts.join(', ')} ] }
${extra}`
}

const CACHED = 'response_cache { enable: true }'
const shared = (priority: number): string => `instance_group { count: 2 kind: KIND_CPU
rate_limiter { resources { name: "R" global: true count: 1 } priority: ${priority} } }`
const map = (xs: readonly number[], by: (x: number) => number): number[] => xs.map((x) => by(x))
const y = (xs: readonly number[], by: (x: number) => number): readonly Responses[] => [
  [{ Y: map(xs, by) }],
]

/** What the TypeScript model does: it calls version 1 of `dyn`. */
export const CALLER = `let context
export const initialize = (given) => { context = given }
export const execute = (requests) => Promise.all(requests.map(async (request) => {
  const x = request.input('X')
  const { shape } = x
  const result = await context.infer('dyn', { X: x }, { request, version: 1 })
  const data = result.output('Y', 'INT32').data.map((value) => value + 1000)
  return { outputs: { Y: { shape, data } } }
}).map((one) => one.catch((error) => error)))
`

export const MIXED_MODELS: Readonly<Record<string, MixedModel>> = {
  dyn: {
    config: mixed(
      {
        mul: 2,
        step: 1,
        nereid_padding: 'X=0',
        nereid_padding_outputs: 'Y=X',
        nereid_padding_buckets: '2, 5',
        nereid_traffic:
          '{"weights": {"1": 2, "2": 1}, "sticky_by": "who", "shadow": {"version": 2, "fraction": 0.5}}',
      },
      `dynamic_batching { max_queue_delay_microseconds: 200 } version_policy { all {} } ${CACHED}`,
    ),
    versions: [1, 2],
    expected: (xs, version) =>
      ['1', '2']
        .filter((one) => version === '' || version === one)
        .map((one) => [{ Y: map(xs, (x) => 2 * x + Number(one)) }]),
  },
  two: { config: mixed({ add: 10 }, shared(1)), expected: (xs) => y(xs, (x) => x + 10) },
  slow: {
    config: mixed(
      { add: 100 },
      `dynamic_batching { preserve_ordering: true } ${shared(3)} ${CACHED}`,
    ),
    expected: (xs) => y(xs, (x) => x + 100),
  },
  rep: {
    config: mixed({ kind: 'repeat' }, 'model_transaction_policy { decoupled: true }', 0),
    scalar: true,
    expected: ([x = 0]) => [Array.from({ length: x % 4 }, (_, i) => ({ Y: [x + i] }))],
  },
  alone: {
    config: mixed({ add: 7 }, CACHED, 0),
    scalar: true,
    expected: (xs) => y(xs, (x) => x + 7),
  },
  seq: {
    config: mixed(
      { kind: 'sum' },
      `sequence_batching { oldest { max_candidate_sequences: 64 } max_sequence_idle_microseconds: 20000000
control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
{ name: "CORRID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] } ] }`,
    ),
  },
  ts: {
    config: `backend: "typescript" max_batch_size: 8 input [ ${io('X')} ] output [ ${io('Y')} ]
dynamic_batching {} ${parameter('nereid_memory_bytes', 10)}`,
    expected: (xs) => y(xs, (x) => 2 * x + 1001),
  },
  cond: {
    config: ensemble(
      [
        ['dyn', { X: 'X' }, { Y: 'Y' }],
        ['slow', { X: 'Y' }, { Y: 'Z' }],
      ],
      'Y Z',
      `${parameter('nereid_step_1_if', 'all Y < 100')} ${CACHED}`,
    ),
    expected: (xs) => {
      const Y = map(xs, (x) => 2 * x + 2)
      return [[Y.every((one) => one < 100) ? { Y, Z: map(Y, (one) => one + 100) } : { Y }]]
    },
  },
  nest: {
    config: ensemble(
      [
        ['cond', { X: 'X' }, { Y: 'A', Z: 'B' }],
        ['two', { X: 'A' }, { Y: 'Y' }],
        ['two', { X: 'B' }, { Y: 'Z' }],
      ],
      'Y Z',
      // What the inner one left out is left out here.
      parameter('nereid_step_2_if', 'B > -1000000'),
    ),
    expected: (xs) => {
      const A = map(xs, (x) => 2 * x + 2)
      const Y = map(A, (one) => one + 10)
      return [[A.every((one) => one < 100) ? { Y, Z: map(A, (one) => one + 110) } : { Y }]]
    },
  },
  many: {
    config: ensemble(
      [
        ['rep', { X: 'X' }, { Y: 'R' }],
        ['alone', { X: 'R' }, { Y: 'Y' }],
      ],
      'Y',
      '',
      0,
    ),
    scalar: true,
    expected: ([x = 0]) => [Array.from({ length: x % 4 }, (_, i) => ({ Y: [x + i + 7] }))],
  },
  called: {
    config: ensemble(
      [
        ['ts', { X: 'X' }, { Y: 'T' }],
        ['two', { X: 'T' }, { Y: 'Y' }],
      ],
      'Y',
      CACHED,
    ),
    expected: (xs) => y(xs, (x) => 2 * x + 1011),
  },
  talk: {
    config: ensemble(
      [
        ['seq', { X: 'X' }, { Y: 'S' }],
        ['two', { X: 'S' }, { Y: 'Y' }],
      ],
      'Y',
    ),
  },
}
