import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../core/protocol/rest/decode-request.ts'
import { encodeInferResponse } from '../../core/protocol/rest/infer-response.ts'
import type { Tensor } from '../../core/tensor.ts'
import { fakeModel } from '../core/protocol/rest/fake-server.ts'

/** How long the REST codec takes per request, next to what JSON.parse and JSON.stringify alone take for the same bytes. */

const RUN_MS = 700
const WARM_UP_MS = 300
const model = fakeModel()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Microseconds per call. */
function time(run: () => unknown): number {
  const loop = (ms: number): number => {
    const start = performance.now()
    let calls = 0
    let passed = 0
    do {
      for (let i = 0; i < 10; i++) run()
      calls += 10
      passed = performance.now() - start
    } while (passed < ms)
    return (passed * 1000) / calls
  }
  loop(WARM_UP_MS)
  return loop(RUN_MS)
}

function values(count: number): number[] {
  let state = 1
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.fround(state / 2 ** 29 - 2)
  })
}

const rows: Record<string, string>[] = []
for (const [name, count, digits] of [
  ['16 floats', 16, 0],
  ['16 short floats', 16, 2],
  ['150,528 floats', 150_528, 0],
  ['150,528 short floats', 150_528, 3],
] as const) {
  const data = values(count).map((value) => (digits === 0 ? value : Number(value.toFixed(digits))))
  const body = encoder.encode(
    JSON.stringify({ inputs: [{ name: 'INPUT0', shape: [1, count], datatype: 'FP32', data }] }),
  )
  const floats = Float32Array.from(data)
  const output: Tensor = {
    name: 'OUTPUT0',
    datatype: 'FP32',
    shape: [1, count],
    data: new Uint8Array(floats.buffer),
  }
  const format = { outputs: null, binaryDefault: false }
  const response = { outputs: [output] }
  const read = time(() => decodeInferRequest(body, undefined, model, LIMITS))
  const parse = time(() => Float32Array.from(JSON.parse(decoder.decode(body)).inputs[0].data))
  const write = time(() => encodeInferResponse({ model, id: '', format, response, limits: LIMITS }))
  const stringify = time(() =>
    encoder.encode(JSON.stringify({ outputs: [{ ...output, data: Array.from(floats) }] })),
  )
  const us = (value: number): string => value.toFixed(value < 100 ? 2 : 0)
  rows.push({
    body: name,
    bytes: String(body.length),
    'decode µs': us(read),
    'JSON.parse µs': us(parse),
    'encode µs': us(write),
    'JSON.stringify µs': us(stringify),
  })
}
console.table(rows)
