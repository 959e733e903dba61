import { type Bytes, concat, field, model } from './onnx-bytes.ts'

/** Element types as ONNX numbers them. */
export const ONNX_TYPES = { FLOAT: 1, INT32: 6, INT64: 7 } as const
type ElementType = keyof typeof ONNX_TYPES

export interface GraphTensor {
  readonly name: string
  readonly type: ElementType
  /** A text is a free dimension. */
  readonly shape: readonly (number | string)[]
}

export interface GraphNode {
  readonly op: string
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes?: Readonly<Record<string, number>>
}

const ATTRIBUTE_INT = 2

/** An ONNX file of these operators; `constants` are FLOAT or (bigints) INT64 vectors. */
export function onnxGraph(graph: {
  readonly inputs: readonly GraphTensor[]
  readonly outputs: readonly GraphTensor[]
  readonly nodes: readonly GraphNode[]
  readonly constants?: Readonly<Record<string, readonly number[] | readonly bigint[]>>
}): Bytes {
  return model(
    concat(
      ...graph.nodes.map((one) => field(1, node(one))),
      field(2, 'g'),
      ...Object.entries(graph.constants ?? {}).map(([name, values]) =>
        field(5, constant(name, values)),
      ),
      ...graph.inputs.map((one) => field(11, valueInfo(one))),
      ...graph.outputs.map((one) => field(12, valueInfo(one))),
    ),
  )
}

function node({ op, inputs, output, attributes = {} }: GraphNode): Bytes {
  return concat(
    ...inputs.map((input) => field(1, input)),
    field(2, output),
    field(4, op),
    ...Object.entries(attributes).map(([name, value]) =>
      field(5, concat(field(1, name), field(3, value), field(20, ATTRIBUTE_INT))),
    ),
  )
}

function valueInfo({ name, type, shape }: GraphTensor): Bytes {
  const dims = shape.map((dim) => field(1, field(typeof dim === 'number' ? 1 : 2, dim)))
  const tensor = concat(field(1, ONNX_TYPES[type]), field(2, concat(...dims)))
  return concat(field(1, name), field(2, field(1, tensor)))
}

function constant(name: string, values: readonly number[] | readonly bigint[]): Bytes {
  const whole = values.every((value): value is bigint => typeof value === 'bigint')
  const data = whole
    ? BigInt64Array.from(values as readonly bigint[])
    : Float32Array.from(values as readonly number[])
  return concat(
    field(1, values.length),
    field(2, ONNX_TYPES[whole ? 'INT64' : 'FLOAT']),
    field(8, name),
    field(9, new Uint8Array(data.buffer)),
  )
}
