import type { RecordedCase } from '../cases.ts'

/** A request to record; `compare` is `exact` unless said. */
export type Question = Omit<RecordedCase, 'answer' | 'headers' | 'body' | 'compare'> &
  Partial<Pick<RecordedCase, 'headers' | 'body' | 'compare'>>

export const RANGE = Array.from({ length: 16 }, (_, i) => i)
export const ONES = Array.from({ length: 16 }, () => 1)

export interface Input {
  name: string
  datatype: string
  shape: unknown
  data?: unknown
  parameters?: Record<string, unknown>
}

export function input(name: string, datatype: string, shape: unknown, data: unknown): Input {
  return { name, datatype, shape, data }
}

export function addsub(datatype: string, rows = 1): Input[] {
  const repeat = (row: number[]) => Array.from({ length: rows }, () => row).flat()
  return [
    input('INPUT0', datatype, [rows, 16], repeat(RANGE)),
    input('INPUT1', datatype, [rows, 16], repeat(ONES)),
  ]
}

export const JSON_TYPE = { 'Content-Type': 'application/json' }

export function json(group: string, name: string, path: string, body: unknown): Question {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { group, name, method: 'POST', path, headers: JSON_TYPE, body: { text } }
}

export function infer(group: string, name: string, model: string, body: unknown): Question {
  return json(group, name, `/v2/models/${model}/infer`, body)
}

/** A binary request: JSON head and tail; `headerLength` lies where a case wants it to. */
export function binary(
  name: string,
  model: string,
  head: unknown,
  tail: Uint8Array,
  headerLength?: string,
): Question {
  const text = typeof head === 'string' ? head : JSON.stringify(head)
  return {
    group: 'binary',
    name,
    method: 'POST',
    path: `/v2/models/${model}/infer`,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': headerLength ?? String(Buffer.byteLength(text)),
    },
    body: { base64: Buffer.concat([Buffer.from(text), tail]).toString('base64') },
  }
}

export function sized(name: string, datatype: string, shape: number[], bytes: unknown): Input {
  return { name, datatype, shape, parameters: { binary_data_size: bytes } }
}

export function get(group: string, name: string, path: string): Question {
  return { group, name, method: 'GET', path }
}

export function encoded(name: string, headers: Record<string, string>, body: Uint8Array): Question {
  return {
    group: 'binary',
    name,
    method: 'POST',
    path: '/v2/models/addsub_int32/infer',
    headers: { ...JSON_TYPE, ...headers },
    body: { base64: Buffer.from(body).toString('base64') },
  }
}

export const floats = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer)
export const ints = (numbers: number[]) => new Uint8Array(Int32Array.from(numbers).buffer)
export const strings = (...texts: string[]) =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(Buffer.byteLength(text))
      return [length, Buffer.from(text)]
    }),
  )
export const binaryOut = [{ name: 'OUTPUT0', parameters: { binary_data: true } }]
export const one = (datatype: string, data: unknown, shape: unknown = [1, 3]) => ({
  inputs: [input('INPUT0', datatype, shape, data)],
})
export const int32 = { inputs: addsub('INT32') }
export const int32Text = Buffer.from(JSON.stringify(int32))
