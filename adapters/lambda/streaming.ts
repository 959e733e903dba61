import { pipeline } from 'node:stream/promises'
import type { RestResponse } from '../../core/protocol/rest/types.ts'
import { invoke, type LambdaHandlerOptions } from './invocation.ts'
import { headersOf } from './result.ts'
import type { LambdaStreams, ResponseStream } from './types.ts'

/** For function URLs in the mode RESPONSE_STREAM: answers leave as they come, larger ones than 6 MB as well. */
export function streamingHandler(options: LambdaHandlerOptions, lambda: LambdaStreams): unknown {
  return lambda.streamifyResponse((event, raw, context) =>
    invoke(options, { event, context }, async (reply, _event, signal) => {
      const head = { statusCode: reply.status, headers: headersOf(reply) }
      await send(reply, lambda.HttpResponseStream.from(raw, head), signal)
    }),
  )
}

/** An answer that ends early ends as a broken one. */
async function send(
  reply: RestResponse,
  stream: ResponseStream,
  signal: AbortSignal,
): Promise<void> {
  try {
    // The head leaves with the first write, and not without one.
    stream.write('')
    // The deadline of what is whole by now is over.
    if (reply.stream === undefined) await pipeline(reply.body, stream)
    else await pipeline(reply.stream, stream, { signal })
  } finally {
    reply.release?.()
  }
}
