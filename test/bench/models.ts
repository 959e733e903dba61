import type { FixedTensor } from './ort.ts'

/** A model of the bench as `make_models.py` writes it. */
export interface BenchModel {
  /** `<dir>/onnx/<base>.onnx`; the repository has `<base>`, `_i2`, `_dyn`, `_db` and `_db_i2`. */
  readonly base: string
  readonly inputs: readonly FixedTensor[]
  readonly outputs: readonly FixedTensor[]
}

const fp32 = (name: string, ...shape: number[]): FixedTensor => ({ name, datatype: 'FP32', shape })
const int64 = (name: string, ...shape: number[]): FixedTensor => ({
  name,
  datatype: 'INT64',
  shape,
})

export const TINY: BenchModel = {
  base: 'tiny_mlp',
  inputs: [fp32('x', 1, 16)],
  outputs: [fp32('y', 1, 4)],
}

/** 600 KB in, 600 KB out. */
export const BIG: BenchModel = {
  base: 'identity_big',
  inputs: [fp32('INPUT0', 1, 150528)],
  outputs: [fp32('OUTPUT0', 1, 150528)],
}

export const RESNET: BenchModel = {
  base: 'resnet18',
  inputs: [fp32('data', 1, 3, 224, 224)],
  outputs: [fp32('resnetv15_dense0_fwd', 1, 1000)],
}

export const MINILM: BenchModel = {
  base: 'minilm',
  inputs: [int64('input_ids', 1, 128), int64('attention_mask', 1, 128)],
  outputs: [fp32('sentence_embedding', 1, 384)],
}

export const BENCH_MODELS: readonly BenchModel[] = [TINY, BIG, RESNET, MINILM]

/** Bytes of a tensor with a fixed shape. */
export function tensorBytes(tensor: FixedTensor): number {
  const count = tensor.shape.reduce((product, dim) => product * dim, 1)
  return count * (tensor.datatype === 'INT64' ? 8 : 4)
}

/** The tensors' bytes of a request: small numbers for FP32, token numbers and ones for INT64. */
export function inputData(model: BenchModel): Uint8Array[] {
  return model.inputs.map((tensor, input) => {
    const bytes = new Uint8Array(tensorBytes(tensor))
    if (tensor.datatype === 'INT64') {
      const numbers = new BigInt64Array(bytes.buffer)
      for (let i = 0; i < numbers.length; i++)
        numbers[i] = input === 0 ? BigInt((i * 7) % 2000) : 1n
    } else {
      const numbers = new Float32Array(bytes.buffer)
      for (let i = 0; i < numbers.length; i++) numbers[i] = ((i * 37) % 100) / 50 - 1
    }
    return bytes
  })
}

/** One binary infer request, answered with binary outputs. */
export function inferBody(model: BenchModel): { body: Uint8Array; headerLength: number } {
  const data = inputData(model)
  const header = JSON.stringify({
    inputs: model.inputs.map(({ name, datatype, shape }, i) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: data[i]?.length },
    })),
    outputs: model.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } })),
  })
  return { body: Buffer.concat([Buffer.from(header), ...data]), headerLength: header.length }
}
