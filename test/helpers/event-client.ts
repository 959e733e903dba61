import { type ClientRequest, type IncomingMessage, request } from 'node:http'

/** A client of server-sent events that reads only when told. */
export interface EventClient {
  readonly response: IncomingMessage
  /** Data of the next event; null at the end of the stream. Rejects when the connection breaks. */
  next(): Promise<string | null>
  /** Data of all events that are left. */
  rest(): Promise<string[]>
  /** Cuts the connection. */
  leave(): void
}

/** Sends a POST and waits for the head of its answer. */
export async function openEvents(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventClient> {
  let sent: ClientRequest | undefined
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent = request(url, { method: 'POST', agent: false, headers }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
  response.setEncoding('utf8')
  const chunks = response[Symbol.asyncIterator]()
  let text = ''
  const next = async (): Promise<string | null> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const event = text.slice(0, end)
        text = text.slice(end + 2)
        if (!event.startsWith('data: ')) throw new Error(`no event: ${event}`)
        return event.slice(6)
      }
      const { done, value } = await chunks.next()
      if (done === true) {
        if (text !== '') throw new Error(`half an event: ${text}`)
        return null
      }
      text += value
    }
  }
  return {
    response,
    next,
    async rest() {
      const events: string[] = []
      for (let event = await next(); event !== null; event = await next()) events.push(event)
      return events
    },
    leave: () => void sent?.destroy(),
  }
}

/** Turns of the event loop until `condition` holds; throws when it does not come to that. */
export async function until(condition: () => boolean, turns = 100_000): Promise<void> {
  for (let i = 0; i < turns; i++) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never came to that')
}
