import { gzipSync } from 'node:zlib'
import { concat, field, varint } from '../helpers/onnx-bytes.ts'

const IDS = ['', '1', '2', 'same']
const SEQUENCES = [0, 1, 2, 3]

const parameter = (name: string, value: Uint8Array): Uint8Array =>
  field(4, concat(field(1, name), field(2, value)))

function infer(model: string, id: string, width: number, more: readonly Uint8Array[]): Uint8Array {
  const shape = concat(varint(1), varint(width))
  const tensor = concat(field(1, 'INPUT0'), field(2, 'FP32'), field(3, shape))
  const values = new Uint8Array(new Float32Array(width).fill(1).buffer)
  return concat(field(1, model), field(3, id), ...more, field(5, tensor), field(7, values))
}

function repeat(count: number, id: string): Uint8Array {
  const tensor = (name: string, datatype: string, size: number): Uint8Array =>
    field(5, concat(field(1, name), field(2, datatype), field(3, varint(size))))
  const raw = (size: number): Uint8Array => field(7, new Uint8Array(4 * size))
  return concat(
    field(1, 'repeat'),
    field(3, id),
    tensor('IN', 'INT32', count),
    tensor('DELAY', 'UINT32', count),
    tensor('WAIT', 'UINT32', 1),
    raw(count),
    raw(count),
    raw(1),
  )
}

/** Requests that are right by themselves: of all models, with the same ids again, and of sequences in any order. */
function rightMessages(): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (const id of IDS) {
    for (const model of ['echo', 'window']) messages.push(infer(model, id, 3, []))
    messages.push(infer('echo', id, 600, []), repeat(0, id), repeat(3, id), repeat(200, id))
    for (const number of SEQUENCES) {
      for (const flags of [
        [],
        ['sequence_start'],
        ['sequence_end'],
        ['sequence_start', 'sequence_end'],
      ]) {
        const marks = flags.map((flag) => parameter(flag, field(1, 1)))
        const named = parameter('sequence_id', field(2, number))
        messages.push(infer('sequence', id, 2, [named, ...marks]))
      }
    }
  }
  return messages
}

/** Requests that are wrong in a way that a parser may let through. */
function wrongMessages(): Uint8Array[] {
  return [
    new Uint8Array(0),
    infer('nobody', '1', 2, []),
    infer('echo', '1', 2, [parameter('priority', field(2, 99))]),
    infer('echo', '1', 2, [parameter('timeout', field(2, 1))]),
    infer('sequence', '1', 2, [parameter('sequence_id', field(3, 'text'))]),
    infer('echo', '1', 2, [field(2, '7')]),
    infer('echo', '1', 2, [field(7, new Uint8Array(8))]),
    concat(infer('echo', '1', 2, []), infer('window', '2', 2, [])),
    field(1, 'echo'),
  ]
}

/** Bodies of calls, most of which are messages. */
export class MessageFuzz {
  readonly #random: () => number
  readonly #right = rightMessages()
  readonly #wrong = wrongMessages()

  constructor(random: () => number) {
    this.#random = random
  }

  /** A message behind its prefix; `compressed` = the call says gzip. */
  next(compressed: boolean): Buffer {
    const kind = this.#random()
    if (kind < 0.75) return this.#framed(this.#pick(this.#right), compressed)
    if (kind < 0.85) return this.#framed(this.#pick(this.#wrong), compressed)
    return this.#mutated(this.#framed(this.#pick(this.#right), compressed))
  }

  /** `bytes` in pieces that end anywhere. */
  pieces(bytes: Buffer): Buffer[] {
    if (this.#random() < 0.5) return [bytes]
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const size = this.#random() < 0.3 ? 1 + this.#below(6) : 1 + this.#below(bytes.length)
      pieces.push(bytes.subarray(at, at + size))
      at += size
    }
    return pieces
  }

  #framed(message: Uint8Array, compressed: boolean): Buffer {
    const packed = compressed && this.#random() < 0.2
    const body = packed ? gzipSync(message) : message
    const prefix = Buffer.alloc(5)
    prefix[0] = packed ? 1 : 0
    prefix.writeUInt32BE(body.length, 1)
    return Buffer.concat([prefix, body])
  }

  #mutated(bytes: Buffer): Buffer {
    const kind = this.#below(6)
    if (kind === 0) return bytes.subarray(0, this.#below(bytes.length))
    if (kind === 1) return Buffer.concat([bytes, bytes.subarray(0, this.#below(bytes.length))])
    if (kind === 2) bytes.writeUInt32BE(this.#below(2 ** 32), 1)
    else if (kind === 3) bytes[0] = this.#below(256)
    else {
      for (let left = 1 + this.#below(3); left > 0; left--) {
        bytes[this.#below(bytes.length)] = this.#below(256)
      }
    }
    return bytes
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
