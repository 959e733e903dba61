import type { ProtocolLimits } from '../../core/protocol/limits.ts'
import type { RestHandler } from '../../core/protocol/rest/handlers.ts'
import type { RestResponse } from '../../core/protocol/rest/types.ts'
import { eventRequest } from './event-request.ts'
import { DEADLINE_MARGIN_MS } from './limits.ts'
import { errorAnswer } from './result.ts'
import type { HttpEvent, InvocationContext } from './types.ts'

export interface LambdaHandlerOptions {
  /** Answers requests; resolves when the models are loaded, rejects when there will be no server. */
  readonly rest: Promise<RestHandler>
  readonly limits: ProtocolLimits
  /** See {@link EventRequestOptions.pathPrefix}. */
  readonly pathPrefix: string
  /** Called when an answer is written, before Lambda may freeze the process. */
  readonly answered: () => void
}

/**
 * Answers the request of one invocation and hands the answer to `write`. Shortly before Lambda would end the invocation what
 * runs is cancelled and answered with 504, so that the client hears a reason and the process is kept.
 */
export async function invoke<T>(
  options: LambdaHandlerOptions,
  invocation: { readonly event: unknown; readonly context: InvocationContext },
  write: (reply: RestResponse, event: HttpEvent, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const event: HttpEvent = isObject(invocation.event) ? invocation.event : {}
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<RestResponse>((resolve) => {
    const end = (): void => {
      ending.abort()
      resolve(errorAnswer(504, 'the request did not end within the time limit of the function'))
    }
    const leftMs = invocation.context.getRemainingTimeInMillis()
    timer = setTimeout(end, Math.max(0, leftMs - DEADLINE_MARGIN_MS))
  })
  try {
    const { limits, pathPrefix } = options
    const request = eventRequest(event, { limits, pathPrefix, signal: ending.signal })
    if (request === undefined) return await write(NO_REQUEST(), event, ending.signal)
    const answer = options.rest.then((rest) => rest(request))
    const reply = await Promise.race([answer, late])
    if (ending.signal.aborted) void answer.then(discard, () => undefined)
    return await write(reply, event, ending.signal)
  } finally {
    clearTimeout(timer)
    options.answered()
  }
}

const NO_REQUEST = (): RestResponse =>
  errorAnswer(400, 'the event is no request over HTTP of a function URL, an API or a load balancer')

/** Lets go of an answer that nobody gets any more. */
function discard({ release, stream }: RestResponse): void {
  release?.()
  stream?.cancel().catch(() => undefined)
}

function isObject(value: unknown): value is HttpEvent {
  return typeof value === 'object' && value !== null
}
