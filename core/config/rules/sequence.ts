import { CONTROL_KINDS, type ControlKind, controlTensors } from '../sequence-controls.ts'
import type { SequenceControl } from '../types.ts'
import type { Rule } from './rule.ts'

const CONTROLS = 'sequence_batching.control_input'

export const controlTensorsAreNamedOnce: Rule = ({ config, name, fail }) => {
  const seen = new Set<string>()
  for (const [i, input] of (config.sequence_batching?.control_input ?? []).entries()) {
    if (!input.name) {
      throw fail(
        `${CONTROLS}[${i}]`,
        `sequence batching control tensor must have a name for ${name}`,
      )
    }
    if (seen.has(input.name)) {
      throw fail(
        `${CONTROLS}[${i}]`,
        `sequence batching control tensor '${input.name}' is specified for multiple control kinds for ${name}`,
      )
    }
    seen.add(input.name)
  }
}

export const controlKindsAppearOnce: Rule = ({ config, name, fail }) => {
  for (const kind of CONTROL_KINDS) {
    if (controlTensors(config, kind).length > 1) {
      throw fail(CONTROLS, `sequence batching specifies multiple ${kind} tensors for ${name}`)
    }
  }
}

const PAIRS = ['int32_false_true', 'fp32_false_true', 'bool_false_true'] as const
const PAIR_NAMES = "'int32_false_true', 'fp32_false_true'"

export const controlValuesAreGiven: Rule = ({ config, name, fail }) => {
  for (const kind of CONTROL_KINDS) {
    for (const { control } of controlTensors(config, kind)) {
      const problem = kind === 'CONTROL_SEQUENCE_CORRID' ? idProblem(control) : pairProblem(control)
      if (problem !== undefined) throw fail(CONTROLS, `${problem} for ${kind} for ${name}`)
    }
  }
}

function pairProblem(control: SequenceControl): string | undefined {
  const given = PAIRS.filter((pair) => control[pair]?.length)
  const [pair] = given
  if (pair === undefined) {
    return `sequence batching must specify either ${PAIR_NAMES} or 'bool_false_true'`
  }
  if (given.length > 1) {
    return `sequence batching specifies more than one from ${PAIR_NAMES} and 'bool_false_true'`
  }
  if (control[pair]?.length === 2) return undefined
  return `sequence batching control '${pair}' must have exactly 2 entries`
}

function idProblem(control: SequenceControl): string | undefined {
  if (PAIRS.every((pair) => !control[pair]?.length)) return undefined
  return `sequence batching must not specify either ${PAIR_NAMES} or 'bool_false_true'`
}

const ID_TYPES = ['TYPE_UINT64', 'TYPE_INT64', 'TYPE_UINT32', 'TYPE_INT32', 'TYPE_STRING']

export const sequenceIdTypeIsKnown: Rule = ({ config, name, fail }) => {
  const kind: ControlKind = 'CONTROL_SEQUENCE_CORRID'
  for (const { control } of controlTensors(config, kind)) {
    if (ID_TYPES.includes(control.data_type ?? 'TYPE_INVALID')) continue
    throw fail(
      CONTROLS,
      `unexpected data type for control ${kind} for ${name}. Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING`,
    )
  }
}

export const oldestSizesFit: Rule = ({ config, name, fail }) => {
  const sizes = config.sequence_batching?.oldest?.preferred_batch_size ?? []
  for (const [i, size] of sizes.entries()) {
    const path = `sequence_batching.oldest.preferred_batch_size[${i}]`
    if (size <= 0) {
      throw fail(path, `sequence batching preferred batch size must be positive for ${name}`)
    }
    if (size > (config.max_batch_size ?? 0)) {
      throw fail(
        path,
        `sequence batching preferred batch size must be <= max batch size for ${name}`,
      )
    }
  }
}

export const slotUtilizationFits: Rule = ({ config, name, fail }) => {
  const part = config.sequence_batching?.direct?.minimum_slot_utilization ?? 0
  if (part >= 0 && part <= 1) return
  throw fail(
    'sequence_batching.direct.minimum_slot_utilization',
    `sequence batching minimum slot utilization must be in range (0.0, 1.0] for ${name}`,
  )
}
