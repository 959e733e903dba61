/**
 * gRPC's floor: `node:http2` on one thread, the server's own codecs, ONNX Runtime inline, and nothing else: no scheduler,
 * no checks, no limits. `tsx test/bench/grpc-floor.ts MODEL.onnx BASE NAME [PORT]` prints the port it listens on.
 */
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { decodeInferRequest } from '../../core/protocol/grpc/decode-infer.ts'
import { encodeInferResponse } from '../../core/protocol/grpc/encode-infer.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../core/protocol/limits.ts'
import type { ServedModel } from '../../core/server-types.ts'
import type { Tensor } from '../../core/tensor.ts'
import { BENCH_MODELS } from './models.ts'
import { openBare } from './ort.ts'

const [path, base, name = '', port = '0'] = process.argv.slice(2)
const model = BENCH_MODELS.find((candidate) => candidate.base === base)
if (path === undefined || model === undefined)
  throw new Error('usage: grpc-floor.ts MODEL.onnx BASE NAME [PORT]')

const PREFIX = 5
const session = await openBare(path, model.inputs, model.outputs)
const outputs: Tensor[] = model.outputs.map(({ name: output, datatype, shape }, i) => ({
  name: output,
  datatype,
  shape,
  data: session.outputs[i] as Uint8Array,
}))
// All that the encoder reads of a model without labels.
const served = { name, version: 1, config: {} } as ServedModel
const context = { limits: DEFAULT_PROTOCOL_LIMITS, sharedMemory: null, owner: '' }
const RESPONSE = { ':status': 200, 'content-type': 'application/grpc' }
const TRAILERS = { 'grpc-status': '0' }

function answer(stream: ServerHttp2Stream, body: Buffer): void {
  const { options } = decodeInferRequest(body.subarray(PREFIX), context)
  for (const [i, input] of options.inputs.entries()) session.inputs[i]?.set(input.data)
  session.run()
  const { parts, byteLength } = encodeInferResponse({
    model: served,
    id: options.id ?? '',
    outputs: null,
    response: { outputs },
    lease: null,
    limits: DEFAULT_PROTOCOL_LIMITS,
    headroom: PREFIX,
  })
  const [head = new Uint8Array(PREFIX)] = parts
  const first = Buffer.from(head.buffer, head.byteOffset, head.length)
  first[0] = 0
  first.writeUInt32BE(byteLength, 1)
  stream.respond(RESPONSE, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(TRAILERS))
  stream.end(parts.length === 1 ? first : Buffer.concat(parts))
}

const server = createServer({ settings: { initialWindowSize: 1 << 20 } })
server.on('stream', (stream) => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () =>
    answer(stream, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
  )
  stream.on('error', () => undefined)
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
})
