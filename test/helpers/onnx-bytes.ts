/** Just enough protobuf to write ONNX files by hand, byte for byte. */
export type Bytes = Uint8Array

const utf8 = new TextEncoder()

export function concat(...parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function varint(value: number): Bytes {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

/** A field: a number is a varint, text and bytes are length-delimited. */
export function field(number: number, value: number | string | Bytes): Bytes {
  if (typeof value === 'number') return concat(varint(number * 8), varint(value))
  const bytes = typeof value === 'string' ? utf8.encode(value) : value
  return concat(varint(number * 8 + 2), varint(bytes.length), bytes)
}

const FLOAT = 1
const EXTERNAL = 1

/** TensorProto of two floats, whose data lies at `location`. */
export const externalTensor = (name: string, location: string | Bytes): Bytes =>
  concat(
    field(1, 2),
    field(2, FLOAT),
    field(8, name),
    field(13, concat(field(1, 'location'), field(2, location))),
    field(13, concat(field(1, 'length'), field(2, '8'))),
    field(14, EXTERNAL),
  )

const valueInfo = (name: string): Bytes => {
  const shape = field(2, field(1, field(1, 2)))
  return concat(field(1, name), field(2, field(1, concat(field(1, FLOAT), shape))))
}

const node = (op: string, inputs: string[], output: string, ...attributes: Bytes[]): Bytes =>
  concat(
    ...inputs.map((input) => field(1, input)),
    field(2, output),
    field(4, op),
    ...attributes.map((attribute) => field(5, attribute)),
  )

const TENSOR_ATTRIBUTE = 4
const GRAPH_ATTRIBUTE = 5

export const model = (graph: Bytes, ...more: Bytes[]): Bytes =>
  concat(field(1, 8), field(8, concat(field(1, ''), field(2, 17))), field(7, graph), ...more)

/** Y = X + W, W from `location`, by every way a graph can hold a tensor. */
export const KINDS: Readonly<Record<string, (location: string | Bytes) => Bytes>> = {
  initializer: (location) =>
    model(
      concat(
        field(1, node('Add', ['X', 'W'], 'Y')),
        field(2, 'g'),
        field(5, externalTensor('W', location)),
        field(11, valueInfo('X')),
        field(12, valueInfo('Y')),
      ),
    ),
  'sparse initializer': (location) => {
    const indices = concat(field(1, 2), field(2, 7), field(8, 'i'), field(9, new Uint8Array(16)))
    const sparse = concat(field(1, externalTensor('W', location)), field(2, indices), field(3, 2))
    return model(
      concat(
        field(1, node('Add', ['X', 'W'], 'Y')),
        field(2, 'g'),
        field(15, sparse),
        field(11, valueInfo('X')),
        field(12, valueInfo('Y')),
      ),
    )
  },
  'constant attribute': (location) => {
    const value = concat(
      field(1, 'value'),
      field(20, TENSOR_ATTRIBUTE),
      field(5, externalTensor('W', location)),
    )
    return model(
      concat(
        field(1, node('Constant', [], 'W', value)),
        field(1, node('Add', ['X', 'W'], 'Y')),
        field(2, 'g'),
        field(11, valueInfo('X')),
        field(12, valueInfo('Y')),
      ),
    )
  },
  'initializer of a branch': (location) => {
    const branch = concat(
      field(1, node('Add', ['X', 'W'], 'B')),
      field(2, 'branch'),
      field(5, externalTensor('W', location)),
      field(12, valueInfo('B')),
    )
    const attribute = (name: string): Bytes =>
      concat(field(1, name), field(20, GRAPH_ATTRIBUTE), field(6, branch))
    const condition = concat(field(2, 9), field(8, 'C'), field(9, Uint8Array.of(1)))
    return model(
      concat(
        field(1, node('If', ['C'], 'Y', attribute('then_branch'), attribute('else_branch'))),
        field(2, 'g'),
        field(5, condition),
        field(11, valueInfo('X')),
        field(12, valueInfo('Y')),
      ),
    )
  },
}
