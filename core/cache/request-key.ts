import type { ModelConfig } from '../config/types.ts'
import type { InferRequest, Parameters, ParameterValue } from '../infer.ts'
import type { Hash } from '../platform.ts'
import { createOutputPlan } from '../schedulers/output-plan.ts'
import { wantedNames } from '../schedulers/wanted-names.ts'
import { DATATYPE_SIZES, type Datatype, type Tensor } from '../tensor.ts'

/** Tensors of more bytes are hashed where they are; smaller ones are copied next to the rest of the message. */
export const INLINE_BYTES = 4096
/** What a message may take without a new allocation for each. */
const SCRATCH_BYTES = 16 * 1024

const DATATYPES = Object.keys(DATATYPE_SIZES) as Datatype[]
const CODES = new Map<Datatype, number>(DATATYPES.map((name, code) => [name, code]))
const encoder = new TextEncoder()
const ALL_OUTPUTS = 0xffff

export interface RequestKeysOptions {
  readonly config: ModelConfig
  readonly hash: Hash
}

/** Makes the keys under which a model's responses are kept. */
export interface RequestKeys {
  /**
   * Equal for requests that the model cannot tell apart: same inputs (which, datatypes, shapes, bytes), same outputs wanted
   * in whatever order, same parameters. Priority, timeout, id and who sent it do not count. `identity` is what else they have
   * to share: the model, its version, what was loaded of it.
   */
  keyOf(request: InferRequest, identity: string): string
}

/** The message that is hashed is unambiguous: every part of variable size has its size before it. */
export function createRequestKeys(options: RequestKeysOptions): RequestKeys {
  const { config, hash } = options
  const inputs = new Map((config.input ?? []).map((input, i) => [input.name ?? '', i]))
  const plan = createOutputPlan(config)
  const places = new Map(plan.names.map((name, i) => [name, i]))
  const own = new Uint8Array(SCRATCH_BYTES)
  const ownView = new DataView(own.buffer)
  let bytes = own
  let view = ownView
  let at = 0
  let known: string | null = null
  let prefix = ''

  const text = (latin1: string): void => {
    for (let i = 0; i < latin1.length; i++) bytes[at++] = latin1.charCodeAt(i)
  }
  const u32 = (value: number): void => {
    view.setUint32(at, value, true)
    at += 4
  }
  const tensor = ({ name, datatype, shape, data }: Tensor): void => {
    u32(inputs.get(name) ?? ALL_OUTPUTS)
    bytes[at++] = CODES.get(datatype) ?? 0xff
    bytes[at++] = shape.length
    for (let i = 0; i < shape.length; i++) {
      view.setFloat64(at, shape[i] as number, true)
      at += 8
    }
    view.setFloat64(at, data.length, true)
    at += 8
    if (data.length > INLINE_BYTES) {
      text(hash(data))
    } else {
      bytes.set(data, at)
      at += data.length
    }
  }
  const block = (data: Uint8Array): void => {
    u32(data.length)
    bytes.set(data, at)
    at += data.length
  }

  return {
    keyOf(request, identity) {
      if (identity !== known) {
        prefix = hash(encoder.encode(identity))
        known = identity
      }
      const parameters = parameterBlocks(request.parameters)
      const wanted = request.outputs === null ? plan.names : wantedNames(request, plan)
      let size = prefix.length + 12 + 2 * wanted.length
      for (const input of request.inputs) size += tensorRoom(input)
      for (const part of parameters) size += 4 + part.length
      bytes = own
      view = ownView
      if (size > SCRATCH_BYTES) {
        bytes = new Uint8Array(size)
        view = new DataView(bytes.buffer)
      }
      at = 0
      text(prefix)
      u32(request.inputs.length)
      for (const input of request.inputs) tensor(input)
      if (wanted.length === plan.names.length) {
        u32(ALL_OUTPUTS)
      } else {
        u32(wanted.length)
        for (const name of wanted) {
          view.setUint16(at, places.get(name) ?? ALL_OUTPUTS, true)
          at += 2
        }
      }
      u32(parameters.length)
      for (const part of parameters) block(part)
      const key = hash(bytes.subarray(0, at))
      bytes = own
      view = ownView
      return key
    },
  }
}

/** Bytes of a digest are fewer than {@link INLINE_BYTES}, whatever the platform's. */
function tensorRoom({ shape, data }: Tensor): number {
  return 14 + 8 * shape.length + Math.min(data.length, INLINE_BYTES)
}

const NONE: readonly Uint8Array[] = []

function parameterBlocks(parameters: Parameters | null): readonly Uint8Array[] {
  if (parameters === null || parameters.size === 0) return NONE
  const blocks: Uint8Array[] = []
  for (const [name, value] of parameters) {
    blocks.push(encoder.encode(name), encoder.encode(valueText(value)))
  }
  return blocks
}

/** 1n, 1, '1' and true are four values. */
function valueText(value: ParameterValue): string {
  return `${(typeof value)[0]}${(typeof value)[1]}${value}`
}
