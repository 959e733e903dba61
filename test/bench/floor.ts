/**
 * The floor: what one thread of `node:http` with an inline ONNX Runtime call does when nothing is parsed or checked.
 * `tsx test/bench/floor.ts MODEL.onnx BASE [PORT]` prints the port it listens on.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BENCH_MODELS } from './models.ts'
import { openBare } from './ort.ts'

const [path, base, port = '0'] = process.argv.slice(2)
const model = BENCH_MODELS.find((candidate) => candidate.base === base)
if (path === undefined || model === undefined)
  throw new Error('usage: floor.ts MODEL.onnx BASE [PORT]')

const session = await openBare(path, model.inputs, model.outputs)
const output = session.outputs[0] as Uint8Array
const { name, datatype, shape } = model.outputs[0] as (typeof model.outputs)[0]
const head = Buffer.from(
  JSON.stringify({
    model_name: base,
    model_version: '1',
    outputs: [{ name, datatype, shape, parameters: { binary_data_size: output.length } }],
  }),
)
const headers = {
  'content-type': 'application/octet-stream',
  'inference-header-content-length': String(head.length),
  'content-length': String(head.length + output.length),
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    let at = Number(request.headers['inference-header-content-length'] ?? 0)
    for (const input of session.inputs) {
      input.set(body.subarray(at, at + input.length))
      at += input.length
    }
    session.run()
    response.writeHead(200, headers)
    response.end(Buffer.concat([head, output]))
  })
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
})
