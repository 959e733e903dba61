import type { Principal } from '../../access/types.ts'
import { ServerError } from '../../errors.ts'
import {
  InferRequest,
  type InferRequestOptions,
  type InferResponse,
  type ResponseSink,
} from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import { requestEncoding } from './content-encoding.ts'
import { eventReply } from './event-reply.ts'
import { parseGenerateRequest } from './generate-request.ts'
import { encodeGenerateResponse } from './generate-response.ts'
import { type InferContext, routed, tailoredOptions } from './handle-infer.ts'
import { invalid } from './json-value.ts'
import { errorReply, jsonReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import { errorBody, httpStatus } from './status.ts'
import type { RestRequest, RestResponse } from './types.ts'

const ONE_RESPONSE =
  'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses'

/** `POST …/generate`: the one response as JSON. The status is that of the first answer, whatever comes after it. */
export async function handleGenerate(
  context: InferContext,
  params: RouteParams,
  request: RestRequest,
  principal: Principal,
): Promise<RestResponse> {
  const { model, options } = await readRequest(context, params, request, principal)
  const { first, count } = await collect(model, options, request.signal)
  const error = first instanceof ServerError ? first : null
  const status = error === null ? 200 : httpStatus(error.code)
  if (count !== 1) {
    if (error === null) (first as InferResponse | null)?.release?.()
    return jsonReply(errorBody(ONE_RESPONSE), status)
  }
  if (error !== null) return errorReply(error)
  const response = first as InferResponse
  try {
    const body = [encodeGenerateResponse(model, options.id ?? '', response)]
    return { status, headers: { 'Content-Type': 'application/json' }, body }
  } finally {
    response.release?.()
  }
}

/** `POST …/generate_stream`: each response as an event. */
export async function handleGenerateStream(
  context: InferContext,
  params: RouteParams,
  request: RestRequest,
  principal: Principal,
): Promise<RestResponse> {
  const { model, options } = await readRequest(context, params, request, principal)
  const id = options.id ?? ''
  return eventReply({
    model,
    request: options,
    encode: (response) => encodeGenerateResponse(model, id, response),
    signal: request.signal,
  })
}

async function readRequest(
  context: InferContext,
  params: RouteParams,
  request: RestRequest,
  principal: Principal,
): Promise<{ readonly model: ServedModel; readonly options: InferRequestOptions }> {
  const { server, limits } = context
  const find = (): ServedModel => server.model(params.model ?? '', params.version ?? '')
  // Who asks for a model that is not there need not send a body.
  find()
  if (!isIdentity(request.header('content-encoding'))) {
    throw invalid("Unsupported content-encoding, only 'identity' is supported.")
  }
  const body = await request.body()
  // Looked up again, and used in the same turn: a model may be replaced while the body comes.
  const model = find()
  const options = tailoredOptions(
    context,
    request,
    principal,
    parseGenerateRequest(body, model, limits),
  )
  return { model: routed(model, options), options }
}

function isIdentity(encoding: string | undefined): boolean {
  try {
    return requestEncoding(encoding) === 'identity'
  } catch {
    return false
  }
}

interface Collected {
  readonly first: InferResponse | ServerError | null
  /** Responses and errors. */
  readonly count: number
}

/** Waits for the final answer and keeps the first one; others are counted. */
function collect(
  model: ServedModel,
  options: InferRequestOptions,
  signal: AbortSignal | undefined,
): Promise<Collected> {
  return new Promise((resolve) => {
    let first: InferResponse | ServerError | null = null
    let count = 0
    const sink: ResponseSink = {
      answer(_request, answer, final) {
        if (answer !== null && count++ === 0) first = answer
        else if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
        if (!final) return
        signal?.removeEventListener('abort', cancel)
        resolve({ first, count })
      },
    }
    const request = new InferRequest(options, sink)
    const cancel = (): void => request.cancel()
    model.check(request)
    signal?.addEventListener('abort', cancel, { once: true })
    if (signal?.aborted === true) cancel()
    model.submit(request)
  })
}
