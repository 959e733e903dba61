import { type Agent, request } from 'node:http'
import type { ClientHttp2Session } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import { framed } from '../helpers/grpc-client.ts'
import { concat, field } from '../helpers/onnx-bytes.ts'
import { rawCall } from '../helpers/raw-grpc.ts'
import { inferMessage } from './grpc-inference.ts'
import { type Inference, inference, question } from './inference.ts'

export const BODY_BYTES = 1_048_576
export const JSON_BYTES = 4_096
export const TENSORS = 16
export const CHUNKS = 64
const ID_BYTES = 1_024
const PARAMETERS = 256
const BATCH = 8
/** Of protobuf; no field of a request has it. */
const UNKNOWN_FIELD = 1_000

export const LIMIT_FLAGS: readonly string[] = [
  `--http-max-input-size=${BODY_BYTES}`,
  `--grpc-max-message-size=${BODY_BYTES}`,
  `--http-max-json-header=${JSON_BYTES}`,
  `--max-tensors=${TENSORS}`,
  `--http-max-chunks=${CHUNKS}`,
]

/** The ways into a server. */
export interface Ways {
  readonly port: number
  readonly agent: Agent
  readonly session: ClientHttp2Session
}

/** Something that may be as large as its limit, through one way in. */
export interface LimitRow {
  readonly name: string
  readonly limit: number
  readonly refusal: RegExp
  /** '' when a request of that size was answered, else what was said. */
  send(ways: Ways, size: number): Promise<string>
}

/** Sends `body`, in one piece with its length or in chunks without. */
export function post(
  { port, agent }: Ways,
  body: Uint8Array | readonly Uint8Array[],
  headers: Readonly<Record<string, string | number>> = {},
): Promise<string> {
  return new Promise((resolve) => {
    const whole = body instanceof Uint8Array
    const outgoing = request({
      host: '127.0.0.1',
      port,
      agent,
      method: 'POST',
      path: `/v2/models/${MODEL}/infer`,
      headers: { ...headers, ...(whole ? { 'content-length': body.length } : {}) },
    })
    // What is too long is refused, and the connection closed, before all of it was sent.
    outgoing.on('error', (error) => resolve(`no answer: ${error.message}`))
    outgoing.on('response', (incoming) => {
      let text = ''
      incoming.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
      })
      incoming.on('error', (error) => resolve(`half an answer: ${error.message}`))
      incoming.on('end', () =>
        resolve(incoming.statusCode === 200 ? '' : `${incoming.statusCode} ${text}`),
      )
    })
    if (whole) {
      outgoing.end(body)
      return
    }
    void (async () => {
      for (const chunk of body) {
        // One write, one chunk: written in one turn they would be sent as they are, too, but this is how they come.
        outgoing.write(chunk)
        await new Promise((next) => setImmediate(next))
      }
      outgoing.end()
    })()
  })
}

async function call({ session }: Ways, message: Uint8Array, coding = ''): Promise<string> {
  const packed = coding === '' ? framed(message) : framed(gzipSync(message), 1)
  const headers = coding === '' ? {} : { 'grpc-encoding': coding }
  const { grpcStatus, grpcMessage } = await rawCall(session, INFER_PATH, [packed], { headers })
  return grpcStatus === '0' ? '' : `status ${grpcStatus} ${grpcMessage}`
}

export const MODEL = 'plain'
const one = (rows = 1, id?: string): Inference => {
  const asked = inference(MODEL, 1, { rows, binary: false })
  return id === undefined ? asked : { ...asked, id }
}
const json = (rest = ''): string => {
  const { body } = question(one())
  return String(body).replace(/}$/, `${rest}}`)
}
/** A request of so many bytes. */
const padded = (size: number): Buffer => Buffer.from(json().padEnd(size))

/** A binary request whose JSON has so many bytes. */
function withHeader(size: number): { body: Buffer; headers: Record<string, string> } {
  const { body, headers = {} } = question(inference(MODEL, 1, { rows: 1, binary: true }))
  const length = Number(headers['inference-header-content-length'])
  const bytes = Buffer.from(body as Uint8Array)
  const header = bytes.subarray(0, length).toString().padEnd(size)
  return {
    body: Buffer.concat([Buffer.from(header), bytes.subarray(length)]),
    headers: { 'inference-header-content-length': String(size) },
  }
}

/** A message of so many bytes. */
function message(size: number): Uint8Array {
  const plain = inferMessage(one())
  const tag = field(UNKNOWN_FIELD, new Uint8Array(size)).length - size
  return concat(plain, field(UNKNOWN_FIELD, new Uint8Array(size - plain.length - tag)))
}

const split = (bytes: Uint8Array, pieces: number): Uint8Array[] =>
  Array.from({ length: pieces }, (_, i) =>
    bytes.subarray(
      Math.floor((bytes.length * i) / pieces),
      Math.floor((bytes.length * (i + 1)) / pieces),
    ),
  )
const numbered = (count: number): string =>
  Array.from({ length: count }, (_, i) => `"p${i}":${i}`).join()
const outputs = (count: number): string => Array(count).fill('{"name":"Y"}').join()

const TOO_LONG = /exceeds the maximum allowed value of 1048576 bytes/
const TOO_LARGE = /status 8 .*larger than max/

export const LIMIT_ROWS: readonly LimitRow[] = [
  {
    name: 'body, declared',
    limit: BODY_BYTES,
    refusal: TOO_LONG,
    send: (ways, size) => post(ways, padded(size)),
  },
  {
    name: 'body, in chunks',
    limit: BODY_BYTES,
    refusal: TOO_LONG,
    send: (ways, size) => post(ways, split(padded(size), 4)),
  },
  {
    name: 'body, gzip',
    limit: BODY_BYTES,
    refusal: TOO_LONG,
    send: (ways, size) => post(ways, gzipSync(padded(size)), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'chunks',
    limit: CHUNKS,
    refusal: /exceeds maximum of 64 non-empty chunks/,
    send: (ways, size) => post(ways, split(padded(4_096), size)),
  },
  {
    name: 'JSON before tensors',
    limit: JSON_BYTES,
    refusal: /exceeds the maximum allowed input size of 4096 bytes/,
    send(ways, size) {
      const { body, headers } = withHeader(size)
      return post(ways, body, headers)
    },
  },
  {
    name: 'id, REST',
    limit: ID_BYTES,
    refusal: /the limit is 1024/,
    send: (ways, size) => post(ways, Buffer.from(json().replace('"r1"', `"${'i'.repeat(size)}"`))),
  },
  {
    name: 'parameters, REST',
    limit: PARAMETERS,
    refusal: /257 parameters, the limit is 256/,
    send: (ways, size) => post(ways, Buffer.from(json(`,"parameters":{${numbered(size)}}`))),
  },
  {
    name: 'outputs, REST',
    limit: TENSORS,
    refusal: /17 outputs, the limit is 16/,
    send: (ways, size) => post(ways, Buffer.from(json(`,"outputs":[${outputs(size)}]`))),
  },
  {
    name: 'rows, REST',
    limit: BATCH,
    refusal: /must be <= 8/,
    send: (ways, size) => post(ways, Buffer.from(String(question(one(size)).body))),
  },
  {
    name: 'message, gRPC',
    limit: BODY_BYTES,
    refusal: TOO_LARGE,
    send: (ways, size) => call(ways, message(size)),
  },
  {
    name: 'message, gRPC, gzip',
    limit: BODY_BYTES,
    refusal: TOO_LARGE,
    send: (ways, size) => call(ways, message(size), 'gzip'),
  },
  {
    name: 'id, gRPC',
    limit: ID_BYTES,
    refusal: /the limit is 1024/,
    send: (ways, size) => call(ways, inferMessage(one(1, 'i'.repeat(size)))),
  },
  {
    name: 'rows, gRPC',
    limit: BATCH,
    refusal: /must be <= 8/,
    send: (ways, size) => call(ways, inferMessage(one(size))),
  },
]
