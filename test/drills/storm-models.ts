import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Affine, IDENTITY, WIDTH, writeModel } from './models.ts'
import { writeRepeat } from './repeat.ts'

/** Models whose requests spend their time in different places; `repeat` is one more. */
export const STAGES: Readonly<Record<string, Affine>> = {
  /** Answered before most cancellations. */
  fast: { scale: 3n, offset: 1n },
  /** In a batch that is not full. */
  window: { scale: 5n, offset: -2n },
  /** In a queue, or executing. */
  slow: IDENTITY,
  /** In either of two steps. */
  ensemble: { scale: 9n, offset: 4n },
}

/** Of the same bytes as its input; {@link SEQUENCE_SLOTS} sequences at a time. */
export const SEQUENCE = 'sequence'
const SEQUENCE_SLOTS = 4
const QUEUE = 64
const delay = (ms: number): string =>
  `parameters { key: "execute_delay_ms" value { string_value: "${ms}" } }`
const one = 'instance_group [{ count: 1 kind: KIND_CPU }]'

export function writeStages(root: string): void {
  const { fast, window, ensemble } = STAGES as Record<string, Affine>
  writeModel(root, { name: 'fast', affine: fast as Affine, config: 'dynamic_batching { }' })
  writeModel(root, {
    name: 'window',
    affine: window as Affine,
    config: 'dynamic_batching { preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 20000 }',
  })
  writeModel(root, {
    name: 'slow',
    backend: 'identity',
    config: `dynamic_batching { default_queue_policy { max_queue_size: ${QUEUE} } }\n${one}\n${delay(20)}`,
  })
  writeModel(root, { name: 'first', backend: 'identity', config: `${one}\n${delay(5)}` })
  writeModel(root, { name: 'second', affine: ensemble as Affine, config: 'dynamic_batching { }' })
  writeModel(root, {
    name: SEQUENCE,
    backend: 'identity',
    config: `sequence_batching {
  max_sequence_idle_microseconds: 300000
  direct { }
  control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ]
}
instance_group [{ count: ${SEQUENCE_SLOTS} kind: KIND_CPU }]
${delay(2)}`,
  })
  mkdirSync(join(root, 'ensemble/1'), { recursive: true })
  const step = (name: string, from: string, to: string): string =>
    `{ model_name: "${name}" model_version: -1 input_map { key: "X" value: "${from}" } output_map { key: "Y" value: "${to}" } }`
  writeFileSync(
    join(root, 'ensemble/config.pbtxt'),
    `platform: "ensemble"
max_batch_size: 8
input [{ name: "X" data_type: TYPE_INT64 dims: [ ${WIDTH} ] }]
output [{ name: "Y" data_type: TYPE_INT64 dims: [ ${WIDTH} ] }]
ensemble_scheduling { step [ ${step('first', 'X', 'between')}, ${step('second', 'between', 'Y')} ] }
`,
  )
  writeRepeat(root)
}
