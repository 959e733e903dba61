import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  type Metadata,
  Metadata as MetadataClass,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import {
  ModelInferRequestSchema,
  type ModelInferResponse,
  ModelInferResponseSchema,
  type ModelStreamInferResponse,
  ModelStreamInferResponseSchema,
} from '../../adapters/grpc/messages/grpc_service_pb.ts'
import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'

/** How a call ended. `message` is null where there was none. */
export interface Outcome {
  readonly code: number
  readonly details: string
  readonly message: Buffer | null
  readonly trailers: Metadata
}

export interface UnaryOptions extends CallOptions {
  readonly metadata?: Readonly<Record<string, string | Buffer>>
}

const raw = (bytes: Buffer): Buffer => bytes

/** grpc-js without generated code: bytes in, bytes out. */
export class RawClient {
  readonly client: Client

  constructor(target: string, options: ClientOptions = {}) {
    // Without this, clients of one target share a connection.
    const own = { 'grpc.use_local_subchannel_pool': 1, ...options }
    this.client = new Client(target, credentials.createInsecure(), own)
  }

  unary(path: string, message: Uint8Array, options: UnaryOptions = {}): Promise<Outcome> {
    return this.start(path, message, options).outcome
  }

  /** A call that can be cancelled. */
  start(
    path: string,
    message: Uint8Array,
    options: UnaryOptions = {},
  ): { outcome: Promise<Outcome>; cancel(): void } {
    const { metadata, ...rest } = options
    let cancel = (): void => {}
    const outcome = new Promise<Outcome>((resolve) => {
      let body: Buffer | null = null
      const call = this.client.makeUnaryRequest(
        path,
        raw,
        raw,
        Buffer.from(message),
        metadataOf(metadata),
        rest,
        (_error: ServiceError | null, value?: Buffer) => {
          body = value ?? null
        },
      )
      call.on('status', (status: StatusObject) => {
        // The callback comes in the same turn, before or after.
        setImmediate(() =>
          resolve({
            code: status.code,
            details: status.details,
            message: body,
            trailers: status.metadata,
          }),
        )
      })
      cancel = () => call.cancel()
    })
    return { outcome, cancel: () => cancel() }
  }

  stream(path: string, options: UnaryOptions = {}): ClientDuplexStream<Buffer, Buffer> {
    const { metadata, ...rest } = options
    return this.client.makeBidiStreamRequest(path, raw, raw, metadataOf(metadata), rest)
  }

  async infer(
    request: MessageInitShape<typeof ModelInferRequestSchema>,
    options: UnaryOptions = {},
  ): Promise<Outcome & { readonly response: ModelInferResponse | null }> {
    const outcome = await this.unary(INFER_PATH, inferBytes(request), options)
    const { message } = outcome
    return {
      ...outcome,
      response: message === null ? null : fromBinary(ModelInferResponseSchema, message),
    }
  }

  inferStream(options: UnaryOptions = {}): InferStream {
    return new InferStream(this.stream(STREAM_INFER_PATH, options))
  }

  close(): void {
    this.client.close()
  }
}

/** ModelStreamInfer as a test reads it. */
export class InferStream {
  readonly call: ClientDuplexStream<Buffer, Buffer>
  readonly answers: ModelStreamInferResponse[] = []
  readonly status: Promise<StatusObject>
  #waiting: { count: number; resolve: () => void }[] = []

  constructor(call: ClientDuplexStream<Buffer, Buffer>) {
    this.call = call
    call.on('data', (bytes: Buffer) => {
      this.answers.push(fromBinary(ModelStreamInferResponseSchema, bytes))
      this.#waiting = this.#waiting.filter(({ count, resolve }) => {
        if (this.answers.length < count) return true
        resolve()
        return false
      })
    })
    call.on('error', () => {})
    this.status = new Promise((resolve) => call.on('status', resolve))
  }

  send(request: MessageInitShape<typeof ModelInferRequestSchema>): void {
    this.call.write(Buffer.from(inferBytes(request)))
  }

  end(): void {
    this.call.end()
  }

  /** Resolves when so many answers came. */
  received(count: number): Promise<void> {
    if (this.answers.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }
}

export function inferBytes(request: MessageInitShape<typeof ModelInferRequestSchema>): Uint8Array {
  return toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, request))
}

/** `message` behind its prefix. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const bytes = Buffer.alloc(5 + message.length)
  bytes[0] = flag
  bytes.writeUInt32BE(length, 1)
  bytes.set(message, 5)
  return bytes
}

/** A request to the `echo` model of FP32 numbers. */
export function echoRequest(
  values: readonly number[],
  rest: { readonly modelName?: string; readonly modelVersion?: string; readonly id?: string } = {},
): MessageInitShape<typeof ModelInferRequestSchema> {
  return {
    modelName: 'echo',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1n, BigInt(values.length)] }],
    rawInputContents: [new Uint8Array(new Float32Array(values).buffer)],
    ...rest,
  }
}

/** The FP32 numbers of the first output. */
export function floats(response: ModelInferResponse | null | undefined): number[] {
  const bytes = response?.rawOutputContents[0] ?? new Uint8Array(0)
  return [...new Float32Array(new Uint8Array(bytes).buffer)]
}

function metadataOf(fields: UnaryOptions['metadata']): Metadata {
  const metadata = new MetadataClass()
  for (const [name, value] of Object.entries(fields ?? {})) metadata.add(name, value)
  return metadata
}
