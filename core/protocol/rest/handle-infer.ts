import type { ForwardHeaders } from '../../access/forward-headers.ts'
import { tailorRequest } from '../../access/tailor-request.ts'
import type { Principal } from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import {
  InferRequest,
  type InferRequestOptions,
  type InferResponse,
  type ResponseSink,
} from '../../infer.ts'
import type { InferenceServer, ServedModel } from '../../server-types.ts'
import type { SharedMemory } from '../../shared-memory/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import {
  ACCEPTED_ENCODINGS,
  deflate,
  inflate,
  requestEncoding,
  responseEncoding,
} from './content-encoding.ts'
import { decodeInferRequest } from './decode-request.ts'
import { parseHeaderLength } from './header-length.ts'
import { acceptsEvents, inferEvents } from './infer-events.ts'
import { encodeInferResponse } from './infer-response.ts'
import { errorReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import type { EncodedResponse, RestRequest, RestResponse } from './types.ts'

export interface InferContext {
  readonly server: InferenceServer
  readonly limits: ProtocolLimits
  /** Regions that tensors may lie in. Default: none. */
  readonly sharedMemory?: SharedMemory | undefined
  /** Headers that become parameters of infer requests. Default: none. */
  readonly forward?: ForwardHeaders | undefined
  /** Answer infer requests that accept them with events (`--http-infer-stream`). Default false. */
  readonly inferStream?: boolean | undefined
}

/** `POST …/infer`, from the unread body to the answer. Errors are thrown. */
export async function handleInfer(
  context: InferContext,
  params: RouteParams,
  request: RestRequest,
  principal: Principal,
): Promise<RestResponse> {
  const { server, limits, sharedMemory } = context
  const find = (): ServedModel => server.model(params.model ?? '', params.version ?? '')
  const streams = context.inferStream === true && acceptsEvents(request.header('accept'))
  // Who asks for a model that is not there need not send a body.
  checkAnswerable(find(), streams)
  let body: Uint8Array
  try {
    const encoding = requestEncoding(request.header('content-encoding'))
    body = await inflate(await request.body(), encoding, limits, request.hold)
  } catch (error) {
    if (!(error instanceof ServerError) || error.code !== 'UNSUPPORTED') throw error
    return errorReply(error, { 'Accept-Encoding': ACCEPTED_ENCODINGS })
  }
  const headerLength = parseHeaderLength(
    request.header('inference-header-content-length'),
    body.length,
  )
  // Looked up again, and used in the same turn: a model may be replaced while the body comes.
  const found = find()
  checkAnswerable(found, streams)
  const { options, format, lease } = decodeInferRequest(body, headerLength, found, limits, {
    sharedMemory,
    owner: principal.id,
  })
  let response: InferResponse | null = null
  try {
    const tailored = tailoredOptions(context, request, principal, options)
    const model = routed(found, tailored)
    if (streams) {
      const { signal } = request
      return await inferEvents({ model, options: tailored, format, lease, limits, signal })
    }
    response = await inferOnce(model, tailored, request.signal)
    const id = options.id ?? ''
    const encoded = encodeInferResponse({ model, id, format, response, limits, lease })
    // What is still to be sent may be views on the inputs.
    lease?.close(encoded.tails.length === 0)
    return await packed(encoded, request, response.release)
  } catch (error) {
    response?.release?.()
    lease?.close()
    throw error
  }
}

/** `options` with what the request's header and its sender add. */
export function tailoredOptions(
  { forward }: InferContext,
  request: RestRequest,
  principal: Principal,
  options: InferRequestOptions,
): InferRequestOptions {
  const tailored = {
    ...options,
    parameters: options.parameters ?? null,
    priority: options.priority ?? 0,
    owner: '',
    trace: request.trace ?? null,
  }
  tailorRequest(tailored, principal, forward?.(request.fields?.() ?? []) ?? null)
  return tailored
}

/** The version of `model` that is to run the request; `model` itself unless versions share its traffic. */
export function routed(model: ServedModel, options: InferRequestOptions): ServedModel {
  return model.route === undefined ? model : model.route(options)
}

function checkAnswerable(model: ServedModel, streams: boolean): void {
  if (!streams) checkNotDecoupled(model)
}

export function checkNotDecoupled(model: ServedModel): void {
  if (model.config.model_transaction_policy?.decoupled === true) {
    throw new ServerError(
      'UNSUPPORTED',
      "HTTP end point doesn't support models with decoupled transaction policy",
    )
  }
}

/** Runs one request and waits for its one response; when `signal` is aborted the request is cancelled. */
export function inferOnce(
  model: ServedModel,
  options: InferRequestOptions,
  signal: AbortSignal | undefined,
): Promise<InferResponse> {
  return new Promise((resolve, reject) => {
    const sink = new SingleResponse(resolve, reject)
    const request = new InferRequest(options, sink)
    model.check(request)
    if (signal !== undefined) {
      const cancel = (): void => request.cancel()
      sink.settled = () => signal.removeEventListener('abort', cancel)
      signal.addEventListener('abort', cancel, { once: true })
      if (signal.aborted) request.cancel()
    }
    model.submit(request)
  })
}

class SingleResponse implements ResponseSink {
  settled: (() => void) | null = null
  readonly #resolve: (response: InferResponse) => void
  readonly #reject: (error: ServerError) => void
  #responses = 0
  #first: InferResponse | null = null

  constructor(resolve: (response: InferResponse) => void, reject: (error: ServerError) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  answer(_request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    if (answer instanceof ServerError) {
      this.#first?.release?.()
      this.settled?.()
      this.#reject(answer)
      return
    }
    if (answer !== null) {
      this.#responses++
      if (this.#first === null) this.#first = answer
      else answer.release?.()
    }
    if (!final) return
    this.settled?.()
    if (this.#first !== null && this.#responses === 1) {
      this.#resolve(this.#first)
      return
    }
    this.#first?.release?.()
    this.#reject(new ServerError('INTERNAL', `expected a single response, got ${this.#responses}`))
  }
}

/** Head and parts of an infer reply, packed as the client asked; a packing that fails sends them as they are. */
async function packed(
  encoded: EncodedResponse,
  request: RestRequest,
  release: (() => void) | undefined,
): Promise<RestResponse> {
  const headers: Record<string, string> = encoded.binary
    ? {
        'Content-Type': 'application/octet-stream',
        'Inference-Header-Content-Length': String(encoded.json.length),
      }
    : { 'Content-Type': 'application/json' }
  const body = [encoded.json, ...encoded.tails]
  const encoding = responseEncoding(request.header('accept-encoding'))
  if (encoding !== 'identity') {
    const smaller = await deflate(body, encoding).catch(() => null)
    if (smaller !== null) {
      release?.()
      return {
        status: 200,
        headers: { ...headers, 'Content-Encoding': encoding },
        body: [smaller],
      }
    }
  }
  return { status: 200, headers, body, ...(release === undefined ? {} : { release }) }
}
