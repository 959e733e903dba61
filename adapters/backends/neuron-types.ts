import type { IoSpec } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { byteSize, type Datatype, shapeText } from '../../core/tensor.ts'
import type { TensorInfo } from '../../native/neuron/tensor-info.ts'

/** A tensor of a NEFF: every dimension is fixed. */
export interface NeuronTensor extends IoSpec {
  /** What the device needs for it, bytes. */
  readonly deviceBytes: number
}

type Numbering = Readonly<Record<number, Datatype>>

/** nrt_dtype_t as runtimes have it since `nrt.h` defines it; FP8 has no name in the protocol. */
const CURRENT: Numbering = {
  1: 'UINT64',
  2: 'INT8',
  3: 'UINT8',
  4: 'INT16',
  5: 'UINT16',
  6: 'BF16',
  7: 'FP16',
  8: 'INT32',
  9: 'UINT32',
  10: 'FP32',
  11: 'FP32',
  12: 'INT64',
}

/** As `nrt_experimental.h` numbered them before. */
const FORMER: Numbering = {
  1: 'FP32',
  2: 'FP16',
  3: 'BF16',
  4: 'INT8',
  5: 'UINT8',
  6: 'INT16',
  7: 'UINT16',
  8: 'INT32',
  9: 'UINT32',
  10: 'INT64',
  11: 'UINT64',
}

/**
 * The tensors of one model by name and datatype. Which of the two numberings of datatypes its runtime has follows from the
 * tensors' sizes; the current one where both fit. Throws UNSUPPORTED for a datatype that the protocol has no name for.
 */
export function neuronTensors(infos: readonly TensorInfo[], model: string): NeuronTensor[] {
  const numbering = [CURRENT, FORMER].find((one) => infos.every((info) => fits(info, one)))
  return infos.map((info) => {
    const { name, shape, bytes, dtype } = info
    const datatype = (numbering ?? CURRENT)[dtype]
    if (datatype === undefined || byteSize(datatype, shape) > bytes) {
      throw new ServerError(
        'UNSUPPORTED',
        `tensor '${name}' of model '${model}' has the Neuron datatype ${dtype}, ` +
          `${bytes} bytes for ${shapeText(shape)}, which is none that requests can have`,
      )
    }
    return { name, datatype, shape, deviceBytes: bytes }
  })
}

function fits({ dtype, shape, bytes }: TensorInfo, numbering: Numbering): boolean {
  const datatype = numbering[dtype]
  return datatype !== undefined && byteSize(datatype, shape) === bytes
}
