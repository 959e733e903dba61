import { decodeInferRequest } from '../../core/protocol/grpc/decode-infer.ts'
import { encodeInferResponse } from '../../core/protocol/grpc/encode-infer.ts'
import { InferMemo } from '../../core/protocol/grpc/infer-memo.ts'
import { MessageMemory } from '../../core/protocol/grpc/message-memory.ts'
import { DEFAULT_PROTOCOL_LIMITS as limits } from '../../core/protocol/limits.ts'
import type { Tensor } from '../../core/tensor.ts'
import { request } from '../core/protocol/grpc/schema.ts'
import { fakeModel } from '../core/protocol/rest/fake-server.ts'

/** How long the gRPC codec takes per request, with its memo and without. */

const RUN_MS = 400
const WARM_UP_MS = 200

/** Microseconds per call. */
function time(run: () => unknown): string {
  const loop = (ms: number): number => {
    const start = performance.now()
    let calls = 0
    let passed = 0
    do {
      for (let i = 0; i < 100; i++) run()
      calls += 100
      passed = performance.now() - start
    } while (passed < ms)
    return (passed * 1000) / calls
  }
  loop(WARM_UP_MS)
  return loop(RUN_MS).toFixed(2)
}

const rows: Record<string, string>[] = []
const model = fakeModel({ name: 'addsub' })
const sink = { answer: () => undefined }
const server = { generation: 1, model: () => model }
for (const [name, bytes, id] of [
  ['2 x 64 bytes', 64, ''],
  ['2 x 64 bytes, id', 64, '12345'],
  ['2 x 600 KiB', 614_400, ''],
] as const) {
  const tensors: Tensor[] = ['0', '1'].map((end) => ({
    name: `PUT${end}`,
    datatype: 'FP32',
    shape: [1, bytes / 4],
    data: new Uint8Array(bytes),
  }))
  const message = request({
    model_name: 'addsub',
    id,
    inputs: tensors.map(({ name: input, datatype, shape }) => ({
      name: `IN${input}`,
      datatype,
      shape,
    })),
    raw_input_contents: tensors.map(({ data }) => data),
  })
  const values = request({
    model_name: 'addsub',
    inputs: tensors.map((one) => ({
      ...one,
      contents: { fp32_contents: new Array(bytes / 4).fill(0.5) },
    })),
  })
  const response = {
    outputs: tensors.map((one) => ({ ...one, name: `OUT${one.name}` })),
  }
  const context = { limits, sharedMemory: null, owner: '' }
  const bind = { owner: '', sink, stream: false }
  const memo = new InferMemo({ server, limits, sharedMemory: null })
  const encoding = { model, id, outputs: null, response, lease: null, limits, headroom: 5 }
  const again = { ...encoding, memo: { template: null, memory: new MessageMemory() } }
  rows.push({
    tensors: name,
    'decode µs': time(() => decodeInferRequest(message, context)),
    'decode values µs': time(() => decodeInferRequest(values, context)),
    'memo hit µs': time(() => memo.bind(memo.read(message), bind)),
    'memo miss µs': time(() => {
      server.generation++
      memo.bind(memo.read(message), bind)
    }),
    'encode µs': time(() => encodeInferResponse(encoding)),
    'encode again µs': time(() => encodeInferResponse(again)),
  })
}
console.table(rows)
