import { packBytes } from '../bytes.ts'
import { datatypeOfConfig } from '../config/datatypes.ts'
import { type ControlKind, controlDatatype, controlTensors } from '../config/sequence-controls.ts'
import type { ModelConfig, SequenceControl } from '../config/types.ts'
import { DATATYPE_SIZES, type Tensor } from '../tensor.ts'
import type { SequenceKey } from './sequence-id.ts'

/** The extra inputs by which a model learns where in its sequence a row stands. */
export interface SequenceControls {
  /** The id as the model's CORRID input, one per sequence; null where the model has none. */
  idTensor(key: SequenceKey): Tensor | null
  /** START, END, READY and CORRID of one step, as far as the model has them. */
  ofStep(start: boolean, end: boolean, idTensor: Tensor | null): readonly Tensor[]
  /** The same for a slot that has nothing to run: all false, id 0. */
  readonly notReady: readonly Tensor[]
}

type Pair = readonly [whenFalse: Tensor, whenTrue: Tensor]

/** Tensors are made here once, ids aside, and shared by all requests. */
export function createSequenceControls(config: ModelConfig): SequenceControls {
  const shape = (config.max_batch_size ?? 0) > 0 ? [1, 1] : [1]
  const pairOf = (kind: ControlKind): Pair | null => {
    const [tensor] = controlTensors(config, kind)
    if (tensor === undefined) return null
    const value = (index: 0 | 1): Tensor => ({
      name: tensor.name,
      datatype: datatypeOfConfig(controlDatatype(tensor.control)) ?? 'BOOL',
      shape,
      data: valueBytes(tensor.control, index),
    })
    return [value(0), value(1)]
  }
  const start = pairOf('CONTROL_SEQUENCE_START')
  const end = pairOf('CONTROL_SEQUENCE_END')
  const ready = pairOf('CONTROL_SEQUENCE_READY')
  const [id] = controlTensors(config, 'CONTROL_SEQUENCE_CORRID')

  const idTensor = (key: SequenceKey): Tensor | null => {
    if (id === undefined) return null
    const datatype = datatypeOfConfig(id.control.data_type) ?? 'UINT64'
    return { name: id.name, datatype, shape, data: idBytes(key, DATATYPE_SIZES[datatype]) }
  }
  const combine = (starts: 0 | 1, ends: 0 | 1, isReady: 0 | 1): readonly Tensor[] => {
    const tensors: Tensor[] = []
    if (start !== null) tensors.push(start[starts])
    if (end !== null) tensors.push(end[ends])
    if (ready !== null) tensors.push(ready[isReady])
    return tensors
  }
  const steps = [combine(0, 0, 1), combine(1, 0, 1), combine(0, 1, 1), combine(1, 1, 1)]
  const withId = (tensors: readonly Tensor[], tensor: Tensor | null): readonly Tensor[] =>
    tensor === null ? tensors : [...tensors, tensor]
  return {
    idTensor,
    ofStep: (starts, ends, tensor) =>
      withId(steps[(starts ? 1 : 0) + (ends ? 2 : 0)] ?? [], tensor),
    notReady: withId(combine(0, 0, 0), idTensor(0n)),
  }
}

/** Entry `index` of the control's `false_true` pair, little-endian. */
function valueBytes(control: SequenceControl, index: 0 | 1): Uint8Array {
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  if (control.int32_false_true?.length) {
    view.setInt32(0, control.int32_false_true[index] ?? 0, true)
    return bytes
  }
  if (control.fp32_false_true?.length) {
    view.setFloat32(0, control.fp32_false_true[index] ?? 0, true)
    return bytes
  }
  return Uint8Array.of(control.bool_false_true?.[index] === true ? 1 : 0)
}

/**
 * An integer's low `size` bytes; with size 0 one packed string, empty for a number. A string in the place of a number lies
 * there as it is packed, zeroes after it, as Triton 2.51 writes it.
 */
function idBytes(key: SequenceKey, size: number): Uint8Array {
  if (typeof key !== 'string') {
    const bytes = new Uint8Array(8)
    if (size > 0) new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(key)), true)
    return bytes.subarray(0, size === 0 ? 4 : size)
  }
  const packed = packBytes([new TextEncoder().encode(key)])
  if (size === 0) return packed
  const bytes = new Uint8Array(size)
  bytes.set(packed.subarray(0, size))
  return bytes
}
