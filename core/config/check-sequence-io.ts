import { ServerError } from '../errors.ts'
import { shapeText } from '../tensor.ts'
import { configOfDatatype } from './datatypes.ts'
import { type IoCheck, ioError } from './io-check.ts'
import { CONTROL_KINDS, controlDatatype, controlTensors } from './sequence-controls.ts'
import type { ModelConfig } from './types.ts'

/** Model inputs that the sequence scheduler fills itself: one per control kind in use, one per state. */
export function countSequenceInputs(config: ModelConfig): number {
  const controls = CONTROL_KINDS.filter((kind) => controlTensors(config, kind).length > 0)
  return controls.length + (config.sequence_batching?.state?.length ?? 0)
}

/** Every control tensor is an input of the model, of its datatype, and holds one element per request. */
export function checkSequenceTensors({ config, io, model }: IoCheck): void {
  for (const kind of CONTROL_KINDS) {
    const tensor = controlTensors(config, kind)[0]
    if (tensor === undefined) continue
    const spec = io.inputs.find((input) => input.name === tensor.name)
    if (spec === undefined) {
      throw new ServerError(
        'INTERNAL',
        `configuration specified sequence control '${tensor.name}', but model does not provide that input`,
      )
    }
    const dims = spec.shape.slice((config.max_batch_size ?? 0) > 0 ? 1 : 0)
    const subject = `unable to load model '${model}', sequence control '${tensor.name}'`
    if (dims.length !== 1 || dims[0] !== 1) {
      throw ioError(`${subject} in model has dims ${shapeText(dims)} but dims [1] is expected`)
    }
    const datatype = controlDatatype(tensor.control)
    if (datatype !== configOfDatatype(spec.datatype)) {
      throw ioError(
        `${subject}, the model expects data-type ${ONNX_NAMES[spec.datatype] ?? spec.datatype} but the model configuration specifies data-type ${datatype}`,
      )
    }
  }
}

/** ONNX's names where they differ from the wire's; Triton uses them in this one message. */
const ONNX_NAMES: Readonly<Record<string, string>> = {
  FP32: 'FLOAT',
  FP64: 'DOUBLE',
  FP16: 'FLOAT16',
  BF16: 'BFLOAT16',
  BYTES: 'STRING',
}
