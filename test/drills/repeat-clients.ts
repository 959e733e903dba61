import { STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { openEvents } from '../helpers/event-client.ts'
import { NoAnswer } from './client.ts'
import type { GrpcConnection } from './grpc.ts'
import { responseParts, streamParts } from './grpc-inference.ts'
import { type Repetition, repeatBody, repeatMessage } from './repeat.ts'

/** '' when all responses came, in their order; otherwise what is wrong. Throws `NoAnswer` when they broke off. */
export type RepeatClient = (asked: Repetition) => Promise<string>

/** generate_stream. */
export function eventsClient(url: string): RepeatClient {
  return async (asked) => {
    const start = performance.now()
    let got = 0
    try {
      const events = await openEvents(`${url}/v2/models/repeat/generate_stream`, repeatBody(asked))
      const { statusCode } = events.response
      for (let event = await events.next(); event !== null; event = await events.next()) {
        if (statusCode !== 200) return `events: ${statusCode} ${event}`
        const value = (JSON.parse(event) as { OUT?: number }).OUT
        if (value !== 7 * got) return `event ${got}: ${event}`
        got++
      }
    } catch (error) {
      throw new NoAnswer(error as NodeJS.ErrnoException, got > 0, performance.now() - start)
    }
    return got === asked.count ? '' : `${got} of ${asked.count} events`
  }
}

/** ModelStreamInfer, closed by the client at once; only the server's OK is an end. */
export function decoupledClient(connection: GrpcConnection): RepeatClient {
  return async (asked) => {
    const start = performance.now()
    let got = 0
    let problem = ''
    const call = connection.call({
      path: STREAM_INFER_PATH,
      onMessage(message) {
        const { error, response } = streamParts(message)
        if (error !== '') problem = error
        else if (responseParts(response).id !== asked.id) problem = `response ${got} of another`
        got++
      },
    })
    call.send(repeatMessage(asked))
    call.end()
    const { code, text } = await call.ended
    if (problem !== '') return `${asked.id}: ${problem}`
    if (code === 0 && got === asked.count) return ''
    if (code >= 0) return `${asked.id}: ${got} responses, status ${code} ${text}`
    const cause: NodeJS.ErrnoException = new Error(text)
    if (connection.refused) cause.code = 'ECONNREFUSED'
    throw new NoAnswer(cause, got > 0, performance.now() - start)
  }
}
