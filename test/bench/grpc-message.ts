import { type BenchModel, inputData } from './models.ts'

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return bytes
}

/** A length-delimited field. */
function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes])
}

/** A ModelInferRequest of the served `name` with raw inputs. */
export function inferMessage(model: BenchModel, name: string): Buffer {
  const inputs = model.inputs.map((tensor) =>
    field(
      5,
      Buffer.concat([
        field(1, tensor.name),
        field(2, tensor.datatype),
        field(3, Buffer.from(tensor.shape.flatMap(varint))),
      ]),
    ),
  )
  const raw = inputData(model).map((data) => field(7, data))
  return Buffer.concat([field(1, name), ...inputs, ...raw])
}

/** Bytes of a registered region. */
export interface BenchRegion {
  readonly region: string
  readonly offset: number
  readonly byteSize: number
}

/** A ModelInferRequest of a model with one input and one output that both lie in shared memory. */
export function regionMessage(
  model: BenchModel,
  name: string,
  places: { readonly input: BenchRegion; readonly output: BenchRegion },
): Buffer {
  const [input] = model.inputs
  const [output] = model.outputs
  if (input === undefined || output === undefined) throw new Error(`${name} has no tensors`)
  const tensor = field(
    5,
    Buffer.concat([
      field(1, input.name),
      field(2, input.datatype),
      field(3, Buffer.from(input.shape.flatMap(varint))),
      ...regionParameters(4, places.input),
    ]),
  )
  const wanted = field(
    6,
    Buffer.concat([field(1, output.name), ...regionParameters(2, places.output)]),
  )
  return Buffer.concat([field(1, name), tensor, wanted])
}

/** Entries of a map of InferParameters, as field `number` of a tensor. */
function regionParameters(number: number, { region, offset, byteSize }: BenchRegion): Buffer[] {
  const entry = (name: string, parameter: Uint8Array): Buffer =>
    field(number, Buffer.concat([field(1, name), field(2, parameter)]))
  const int64 = (value: number): Buffer => Buffer.from([(2 << 3) | 0, ...varint(value)])
  return [
    entry('shared_memory_region', field(3, region)),
    entry('shared_memory_offset', int64(offset)),
    entry('shared_memory_byte_size', int64(byteSize)),
  ]
}

/** `message` with gRPC's prefix: what stands in the body of a call. */
export function grpcBody(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}
