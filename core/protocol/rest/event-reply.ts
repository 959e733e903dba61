import { ServerError } from '../../errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../infer.ts'
import type { ServedModel } from '../../server-types.ts'
import { EventStream } from './event-stream.ts'
import { httpStatus } from './status.ts'
import type { RestResponse } from './types.ts'

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache',
}

export interface EventReplyOptions {
  readonly model: ServedModel
  readonly request: InferRequestOptions
  readonly encode: (response: InferResponse) => Uint8Array
  readonly signal: AbortSignal | undefined
  /** The request had its last answer, or nobody listens to it any more. */
  readonly onEnd?: () => void
}

/**
 * Runs a request and answers with its responses as server-sent events, from the first one on, which decides the status. Throws
 * where the request does not get as far as being run.
 */
export function eventReply(options: EventReplyOptions): Promise<RestResponse> {
  const { model, signal } = options
  return new Promise((resolve, reject) => {
    let submitting = true
    const leave = (): void => events.leave()
    const events = new EventStream({
      encode: options.encode,
      onFirst(error) {
        // Who cannot even be queued has no stream.
        if (submitting && error?.code === 'UNAVAILABLE') reject(error)
        else resolve({ status: statusOf(error), headers: HEADERS, body: [], stream: events.stream })
      },
      onEnd() {
        signal?.removeEventListener('abort', leave)
        options.onEnd?.()
        // Nobody is there to see it.
        reject(new ServerError('CANCELLED', 'request was cancelled'))
      },
    })
    const request = new InferRequest(options.request, events)
    try {
      model.check(request)
    } catch (error) {
      options.onEnd?.()
      throw error
    }
    events.follow(request)
    signal?.addEventListener('abort', leave, { once: true })
    if (signal?.aborted === true) leave()
    model.submit(request)
    submitting = false
  })
}

function statusOf(error: ServerError | null): number {
  return error === null ? 200 : httpStatus(error.code)
}
