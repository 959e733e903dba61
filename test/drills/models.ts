import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, concat, field, model } from '../helpers/onnx-bytes.ts'

/** INT64 values per row of every model here. */
export const WIDTH = 4

/** Y = X · scale + offset in 64 bits, wrapping: what an answer must be, whoever computes it. */
export interface Affine {
  readonly scale: bigint
  readonly offset: bigint
}

export const IDENTITY: Affine = { scale: 1n, offset: 0n }

export const apply = ({ scale, offset }: Affine, x: bigint): bigint =>
  BigInt.asIntN(64, x * scale + offset)

const INT64 = 7

function constant(name: string, value: bigint): Bytes {
  const raw = new Uint8Array(BigInt64Array.of(value).buffer)
  return concat(field(1, 1), field(2, INT64), field(8, name), field(9, raw))
}

function tensorInfo(name: string): Bytes {
  const rows = field(1, field(2, 'N'))
  const columns = field(1, field(1, WIDTH))
  const type = concat(field(1, INT64), field(2, concat(rows, columns)))
  return concat(field(1, name), field(2, field(1, type)))
}

const node = (op: string, inputs: readonly string[], output: string): Bytes =>
  concat(...inputs.map((input) => field(1, input)), field(2, output), field(4, op))

/** The ONNX file of an affine model over INT64 [N, {@link WIDTH}]. */
export function affineOnnx({ scale, offset }: Affine): Bytes {
  return model(
    concat(
      field(1, node('Mul', ['X', 'scale'], 'scaled')),
      field(1, node('Add', ['scaled', 'offset'], 'Y')),
      field(2, 'affine'),
      field(5, constant('scale', scale)),
      field(5, constant('offset', offset)),
      field(11, tensorInfo('X')),
      field(12, tensorInfo('Y')),
    ),
  )
}

export interface ModelFiles {
  readonly name: string
  /** `onnxruntime`, or `identity` for a model whose executions take a given time. */
  readonly backend?: string
  readonly affine?: Affine
  /** Lines of config.pbtxt beyond the ones that all models share. */
  readonly config?: string
}

/** Writes one model into a repository. */
export function writeModel(root: string, { name, backend, affine, config }: ModelFiles): void {
  mkdirSync(join(root, name, '1'), { recursive: true })
  const kind = backend ?? 'onnxruntime'
  writeFileSync(
    join(root, name, 'config.pbtxt'),
    `backend: "${kind}"
max_batch_size: 8
input [{ name: "X" data_type: TYPE_INT64 dims: [ ${WIDTH} ] }]
output [{ name: "Y" data_type: TYPE_INT64 dims: [ ${WIDTH} ] }]
${config ?? ''}
`,
  )
  if (kind !== 'onnxruntime') return
  writeFileSync(join(root, name, '1/model.onnx'), affineOnnx(affine ?? IDENTITY))
}
