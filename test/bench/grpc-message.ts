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

/** `message` with gRPC's prefix: what stands in the body of a call. */
export function grpcBody(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}
