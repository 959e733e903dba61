import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { Datatype, Tensor } from '../tensor.ts'

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='
type Literal = number | bigint | boolean | string

/**
 * When a step of an ensemble runs. Beyond Triton, which runs every step; a config asks for it by a parameter for each step
 * that has a condition, steps counted from 0:
 *
 *     parameters { key: "nereid_step_1_if" value { string_value: "all score < 0.5" } }
 *
 * `any` (the default) or `all`, an ensemble tensor, one of `== != < <= > >=`, and a number, `true`, `false` or a
 * "string". The step waits for that tensor; where the condition does not hold, or the tensor itself was left out, the step is
 * skipped and its outputs are left out: of the answer, and of the inputs of later steps. A step that needs an input which
 * was left out is skipped too.
 */
export interface Condition {
  readonly step: number
  readonly tensor: string
  /** Whether every element has to meet it, or one. */
  readonly all: boolean
  readonly comparison: Comparison
  readonly literal: Literal
}

/** Characters of a condition: reading a long one takes the square of its length. */
export const MAX_CONDITION_LENGTH = 1024

const KEY = /^nereid_step_(\d{1,9})_if$/
const TEXT = /^(?:(any|all)\s+)?(\S.*?)\s*(==|!=|<=|>=|<|>)\s*(true|false|".*"|[-+.\w]+)$/s

/** The conditions of an ensemble's config. Throws INVALID_ARG for one that cannot be read or whose step is not there. */
export function conditionsOf(config: ModelConfig): readonly Condition[] {
  const conditions: Condition[] = []
  const steps = config.ensemble_scheduling?.step?.length ?? 0
  for (const [key, value] of Object.entries(config.parameters ?? {})) {
    const step = KEY.exec(key)?.[1]
    if (step === undefined) continue
    if (Number(step) >= steps) throw wrong(config, key, `there are ${steps} steps, counted from 0`)
    const given = value.string_value ?? ''
    if (given.length > MAX_CONDITION_LENGTH) {
      const length = `has ${given.length} characters, the limit is ${MAX_CONDITION_LENGTH}`
      throw wrong(config, key, length)
    }
    const [, quantifier, tensor = '', comparison, text = ''] = TEXT.exec(given.trim()) ?? []
    const literal = literalOf(text)
    if (literal === undefined) {
      throw wrong(config, key, `"${given}" is not like "any TENSOR == VALUE"`)
    }
    conditions.push({
      step: Number(step),
      tensor,
      all: quantifier === 'all',
      comparison: comparison as Comparison,
      literal,
    })
  }
  return conditions
}

/** Throws INVALID_ARG where `condition` cannot be asked of a tensor of `type`, as a config names it. */
export function checkCondition(config: ModelConfig, condition: Condition, type: string): void {
  const key = `nereid_step_${condition.step}_if`
  const kind = KINDS[type.replace(/^TYPE_/, '').replace('STRING', 'BYTES') as Datatype]
  const { literal, comparison, tensor } = condition
  if (kind === undefined) throw wrong(config, key, `tensors of ${type} are not compared`)
  const given = typeof literal === 'bigint' ? 'number' : typeof literal
  if (given !== kind) throw wrong(config, key, `'${tensor}' is a ${type}, not a ${given}`)
  if (kind !== 'number' && comparison !== '==' && comparison !== '!=') {
    throw wrong(config, key, `${type} has no order, only == and !=`)
  }
}

/** Whether `tensor` meets `condition`, which was checked against its datatype. */
export function holds({ literal, comparison, all }: Condition, tensor: Tensor): boolean {
  for (const element of elements(tensor)) {
    if (compare(element, comparison, literal) !== all) return !all
  }
  return all
}

const KINDS: Readonly<Partial<Record<Datatype, 'number' | 'boolean' | 'string'>>> = {
  BOOL: 'boolean',
  BYTES: 'string',
  UINT8: 'number',
  UINT16: 'number',
  UINT32: 'number',
  UINT64: 'number',
  INT8: 'number',
  INT16: 'number',
  INT32: 'number',
  INT64: 'number',
  FP32: 'number',
  FP64: 'number',
}

function literalOf(text: string): Literal | undefined {
  if (/^[-+]?\d+$/.test(text)) return BigInt(text.replace('+', ''))
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  return text.startsWith('"') ? text.slice(1, -1) : undefined
}

/** JavaScript compares numbers with big integers by their values. */
function compare(element: Literal, comparison: Comparison, literal: Literal): boolean {
  switch (comparison) {
    case '==':
      // biome-ignore lint/suspicious/noDoubleEquals: 1 and 1n are one value.
      return element == literal
    case '!=':
      // biome-ignore lint/suspicious/noDoubleEquals: as above.
      return element != literal
    case '<':
      return element < literal
    case '<=':
      return element <= literal
    case '>':
      return element > literal
    case '>=':
      return element >= literal
  }
}

function* elements({ datatype, data }: Tensor): Generator<Literal> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (datatype === 'BYTES') {
    const decoder = new TextDecoder()
    for (let at = 0; at + 4 <= data.byteLength; ) {
      const end = at + 4 + view.getUint32(at, true)
      yield decoder.decode(data.subarray(at + 4, end))
      at = end
    }
    return
  }
  const { size, read } = READERS[datatype as keyof typeof READERS]
  for (let at = 0; at + size <= data.byteLength; at += size) yield read(view, at)
}

const READERS = {
  BOOL: { size: 1, read: (view: DataView, at: number): Literal => view.getUint8(at) !== 0 },
  UINT8: { size: 1, read: (view: DataView, at: number): Literal => view.getUint8(at) },
  INT8: { size: 1, read: (view: DataView, at: number): Literal => view.getInt8(at) },
  UINT16: { size: 2, read: (view: DataView, at: number): Literal => view.getUint16(at, true) },
  INT16: { size: 2, read: (view: DataView, at: number): Literal => view.getInt16(at, true) },
  UINT32: { size: 4, read: (view: DataView, at: number): Literal => view.getUint32(at, true) },
  INT32: { size: 4, read: (view: DataView, at: number): Literal => view.getInt32(at, true) },
  FP32: { size: 4, read: (view: DataView, at: number): Literal => view.getFloat32(at, true) },
  UINT64: { size: 8, read: (view: DataView, at: number): Literal => view.getBigUint64(at, true) },
  INT64: { size: 8, read: (view: DataView, at: number): Literal => view.getBigInt64(at, true) },
  FP64: { size: 8, read: (view: DataView, at: number): Literal => view.getFloat64(at, true) },
}

function wrong({ name = '' }: ModelConfig, key: string, reason: string): ServerError {
  return new ServerError('INVALID_ARG', `in ensemble ${name}, parameter '${key}': ${reason}`)
}
