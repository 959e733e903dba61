import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { concat, field, varint } from '../helpers/onnx-bytes.ts'

/** A request to the decoupled model `repeat`: how many responses, and the milliseconds before each. */
export interface Repetition {
  readonly id: string
  readonly count: number
  readonly delayMs: number
}

export function writeRepeat(root: string): void {
  mkdirSync(join(root, 'repeat/1'), { recursive: true })
  writeFileSync(
    join(root, 'repeat/config.pbtxt'),
    `backend: "repeat"
model_transaction_policy { decoupled: true }
input [
  { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] }
]
output [
  { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] }
]
`,
  )
}

/** The body of a generate_stream. */
export function repeatBody({ count, delayMs }: Repetition): string {
  const IN = Array.from({ length: count }, (_, i) => 7 * i)
  return JSON.stringify({ IN, DELAY: IN.map(() => delayMs), WAIT: 0 })
}

/** A ModelInferRequest. */
export function repeatMessage({ id, count, delayMs }: Repetition): Uint8Array {
  const tensor = (name: string, datatype: string, size: number): Uint8Array =>
    field(5, concat(field(1, name), field(2, datatype), field(3, varint(size))))
  const raw = (values: Int32Array): Uint8Array => field(7, new Uint8Array(values.buffer))
  return concat(
    field(1, 'repeat'),
    field(3, id),
    tensor('IN', 'INT32', count),
    tensor('DELAY', 'UINT32', count),
    tensor('WAIT', 'UINT32', 1),
    raw(Int32Array.from({ length: count }, (_, i) => 7 * i)),
    raw(new Int32Array(count).fill(delayMs)),
    raw(new Int32Array(1)),
  )
}
