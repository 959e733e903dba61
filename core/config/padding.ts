import { ServerError } from '../errors.ts'
import { datatypeOfConfig } from './datatypes.ts'
import { elementBytes } from './element-bytes.ts'
import type { ModelConfig, ModelInput } from './types.ts'

/** The largest bucket there may be, in elements along the padded dimension. */
export const MAX_BUCKET: number = 1 << 20
/** Buckets of one model. */
export const MAX_BUCKETS = 256
/** Characters of each parameter. */
export const MAX_PADDING_LENGTH: number = 16 * 1024

/** An input that is filled up along one axis. */
export interface PaddedInput {
  /** In whole shapes, the batch dimension included. */
  readonly axis: number
  /** What it is filled up with: one element as it lies in the tensor. */
  readonly element: Uint8Array
}

/** An output as long as a padded input. */
export interface TrimmedOutput {
  /** That input. */
  readonly source: string
  /** The input's axis. */
  readonly sourceAxis: number
  /** The output's axes that are cut back to the length of the input. */
  readonly axes: readonly number[]
}

/**
 * How requests of different lengths share a batch. Beyond Triton; a config with `dynamic_batching` asks for it by parameters:
 *
 *     parameters { key: "nereid_padding" value { string_value: "input_ids=0, attention_mask=0" } }
 *     parameters { key: "nereid_padding_outputs" value { string_value: "last_hidden_state=input_ids" } }
 *     parameters { key: "nereid_padding_buckets" value { string_value: "16, 32, 64, 128" } }
 *
 * `nereid_padding` names inputs and what they are filled up with at the end of their one free dimension (-1): each as far as
 * the batch's longest. The model has to ignore it, by a mask for instance, which is then padded as well.
 * `nereid_padding_outputs` names outputs whose free dimensions have the length of a padded input: they are cut back to what each
 * request sent. Others are passed on as the model gives them. With `nereid_padding_buckets` batches are filled up to
 * the first of these lengths that is long enough, so that the model sees few different shapes; what is longer than all of them
 * only to the batch's longest.
 */
export interface Padding {
  readonly inputs: ReadonlyMap<string, PaddedInput>
  readonly outputs: ReadonlyMap<string, TrimmedOutput>
  /** Ascending. */
  readonly buckets: readonly number[]
}

const KEYS = ['nereid_padding', 'nereid_padding_outputs', 'nereid_padding_buckets'] as const
type Key = (typeof KEYS)[number]

/** null where the config asks for none. Throws INVALID_ARG for what cannot be. */
export function paddingOf(config: ModelConfig): Padding | null {
  const given = KEYS.filter((key) => config.parameters?.[key] !== undefined)
  for (const key of given) {
    const length = config.parameters?.[key]?.string_value?.length ?? 0
    if (length <= MAX_PADDING_LENGTH) continue
    throw wrong(config, key, `has ${length} characters, the limit is ${MAX_PADDING_LENGTH}`)
  }
  const [first] = given
  if (first === undefined) return null
  if ((config.max_batch_size ?? 0) <= 0 || config.dynamic_batching === undefined) {
    throw wrong(config, first, 'padding needs dynamic_batching and a max_batch_size')
  }
  if (config.model_transaction_policy?.decoupled === true) {
    throw wrong(config, first, 'padding is not for decoupled models')
  }
  const inputs = paddedInputs(config)
  if (inputs.size === 0) throw wrong(config, 'nereid_padding', 'no input is named')
  return { inputs, outputs: trimmedOutputs(config, inputs), buckets: bucketsOf(config) }
}

function paddedInputs(config: ModelConfig): ReadonlyMap<string, PaddedInput> {
  const inputs = new Map<string, PaddedInput>()
  for (const [name, value] of pairs(config, 'nereid_padding')) {
    const input = config.input?.find((one) => one.name === name)
    if (input === undefined) throw wrong(config, 'nereid_padding', `there is no input '${name}'`)
    const problem = whyNotPadded(input)
    if (problem !== undefined) throw wrong(config, 'nereid_padding', `'${name}' ${problem}`)
    const datatype = datatypeOfConfig(input.data_type)
    const element = datatype === undefined ? undefined : elementBytes(datatype, value)
    if (element === undefined) {
      const type = input.data_type ?? 'TYPE_INVALID'
      throw wrong(config, 'nereid_padding', `'${name}' is ${type}, which has no value "${value}"`)
    }
    inputs.set(name, { axis: (input.dims ?? []).indexOf(-1) + 1, element })
  }
  return inputs
}

function whyNotPadded(input: ModelInput): string | undefined {
  const free = (input.dims ?? []).filter((dim) => dim === -1).length
  if (free !== 1) return `has ${free} free dimensions, padding needs one`
  if (input.reshape !== undefined) return 'has a reshape'
  if (input.allow_ragged_batch === true) return 'has allow_ragged_batch'
  if (input.is_shape_tensor === true) return 'is a shape tensor'
  return undefined
}

function trimmedOutputs(
  config: ModelConfig,
  inputs: ReadonlyMap<string, PaddedInput>,
): ReadonlyMap<string, TrimmedOutput> {
  const key = 'nereid_padding_outputs'
  const outputs = new Map<string, TrimmedOutput>()
  const scattered = (config.batch_output ?? []).flatMap((one) => one.target_name ?? [])
  for (const [name, source] of pairs(config, key)) {
    const output = config.output?.find((one) => one.name === name)
    if (output === undefined) throw wrong(config, key, `there is no output '${name}'`)
    const input = inputs.get(source)
    if (input === undefined) throw wrong(config, key, `'${source}' is no padded input`)
    const axes = (output.dims ?? []).flatMap((dim, i) => (dim === -1 ? [i + 1] : []))
    if (axes.length === 0) throw wrong(config, key, `'${name}' has no free dimension`)
    if (output.reshape !== undefined || scattered.includes(name)) {
      throw wrong(config, key, `'${name}' has a reshape or a batch_output`)
    }
    if (output.data_type === 'TYPE_STRING') throw wrong(config, key, `'${name}' is TYPE_STRING`)
    outputs.set(name, { source, sourceAxis: input.axis, axes })
  }
  return outputs
}

function bucketsOf(config: ModelConfig): readonly number[] {
  const key = 'nereid_padding_buckets'
  const text = config.parameters?.[key]?.string_value ?? ''
  if (text.trim() === '') return []
  const buckets = text.split(',').map((one) => (/^\s*\d{1,9}\s*$/.test(one) ? Number(one) : 0))
  const rise = buckets.every((size, i) => size > (buckets[i - 1] ?? 0) && size <= MAX_BUCKET)
  if (rise && buckets.length <= MAX_BUCKETS) return buckets
  throw wrong(
    config,
    key,
    `"${text}" must be up to ${MAX_BUCKETS} rising lengths from 1 to ${MAX_BUCKET}, separated by commas`,
  )
}

/** `name=value, name=value`; no name twice. */
function pairs(config: ModelConfig, key: Key): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const text = config.parameters?.[key]?.string_value ?? ''
  if (text.trim() === '') return found
  for (const part of text.split(',')) {
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(0, at)).trim()
    const value = part.slice(at + 1).trim()
    if (name === '' || value === '' || /\s/.test(value))
      throw wrong(config, key, `"${text}" is not like "NAME=VALUE, NAME=VALUE"`)
    if (found.has(name)) throw wrong(config, key, `'${name}' is named twice`)
    found.set(name, value)
  }
  return found
}

function wrong(config: ModelConfig, key: Key, problem: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `in model ${config.name ?? ''}, parameter '${key}': ${problem}`,
  )
}
