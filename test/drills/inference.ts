import type { Question, Reply } from './client.ts'
import { type Affine, apply, WIDTH } from './models.ts'

/** One request whose every value is its own, so that no other request's answer can pass for its answer. */
export interface Inference {
  readonly model: string
  readonly id: string
  readonly rows: number
  readonly values: BigInt64Array
  readonly binary: boolean
}

/** Odd, so that multiplying by it never maps two serial numbers to one value. */
const SPREAD = 0x9e37_79b9_7f4a_7c15n

/** The inference with serial number `serial`; its values use all 64 bits. */
export function inference(
  model: string,
  serial: number,
  options: { readonly rows: number; readonly binary: boolean },
): Inference {
  const values = new BigInt64Array(options.rows * WIDTH)
  const base = BigInt(serial) * BigInt(values.length === 0 ? 1 : 64)
  for (let i = 0; i < values.length; i++) {
    values[i] = BigInt.asIntN(64, (base + BigInt(i)) * SPREAD)
  }
  return { model, id: `r${serial}`, rows: options.rows, values, binary: options.binary }
}

/** The request as it goes over the wire. */
export function question({ model, id, rows, values, binary }: Inference): Question {
  const path = `/v2/models/${model}/infer`
  const shape = `[${rows},${WIDTH}]`
  if (!binary) {
    const input = `{"name":"X","datatype":"INT64","shape":${shape},"data":[${values.join(',')}]}`
    return { path, body: `{"id":"${id}","inputs":[${input}]}` }
  }
  const header = Buffer.from(
    `{"id":"${id}","inputs":[{"name":"X","datatype":"INT64","shape":${shape},"parameters":` +
      `{"binary_data_size":${values.byteLength}}}],"outputs":[{"name":"Y","parameters":{"binary_data":true}}]}`,
  )
  return {
    path,
    headers: { 'inference-header-content-length': String(header.length) },
    body: Buffer.concat([header, new Uint8Array(values.buffer)]),
  }
}

/** The values that `reply` holds, when in everything else it is the answer to `asked`; otherwise what is wrong. */
export function answered(asked: Inference, reply: Reply): BigInt64Array | string {
  if (reply.status !== 200) return `${asked.id}: ${reply.status} ${reply.body}`
  const wrong = (what: string): string => `${asked.id}: ${what} in ${reply.body.toString('latin1')}`
  const size = reply.headers['inference-header-content-length']
  const header = reply.body.toString('utf8', 0, size === undefined ? undefined : Number(size))
  const json = JSON.parse(header) as {
    id?: string
    model_name?: string
    outputs?: readonly { name: string; datatype: string; shape: readonly number[] }[]
  }
  const [output, ...others] = json.outputs ?? []
  if (json.id !== asked.id || json.model_name !== asked.model) return wrong('another id or model')
  if (output === undefined || others.length > 0 || output.name !== 'Y') return wrong('the outputs')
  if (output.datatype !== 'INT64' || output.shape.join() !== `${asked.rows},${WIDTH}`) {
    return wrong('another tensor')
  }
  if (asked.binary) {
    if (size === undefined) return wrong('no binary tensor')
    const tail = new Uint8Array(reply.body.subarray(Number(size)))
    if (tail.length !== asked.values.byteLength) return wrong('another number of bytes')
    return new BigInt64Array(tail.buffer)
  }
  // JSON.parse would round the integers, so they are read from the text.
  const data = /"data":\[([-\d,]*)\]/.exec(header)?.[1]?.split(',') ?? []
  if (data.length !== asked.values.length) return wrong('another number of values')
  return BigInt64Array.from(data, (text) => BigInt(text))
}

/** '' when `reply` is the answer that `affine` gives to `asked`; otherwise what is wrong. */
export function verify(asked: Inference, reply: Reply, affine: Affine): string {
  return verifyValues(asked, answered(asked, reply), affine)
}

/** The same of values that were read from an answer already, or of what is wrong with it. */
export function verifyValues(
  asked: Inference,
  values: BigInt64Array | string,
  affine: Affine,
): string {
  if (typeof values === 'string') return values
  for (const [i, x] of asked.values.entries()) {
    const expected = apply(affine, x)
    if (values[i] !== expected) return `${asked.id}: value ${i} is ${values[i]}, not ${expected}`
  }
  return ''
}
