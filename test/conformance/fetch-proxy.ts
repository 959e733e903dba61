import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StartedTarget } from '../targets/suite.ts'

/** What belongs to a connection, which the target does not have. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'transfer-encoding',
])

/** A port for a target that has none: requests go to its `fetch`, and what that answers comes back as it is. */
export async function fetchProxy({
  url,
  fetch: ask = fetch,
}: Pick<StartedTarget, 'url' | 'fetch'>): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    pass(request, response).catch((error: unknown) => {
      response.writeHead(502).end(String(error))
    })
  })
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = 'GET' } = request
    const headers = Object.entries(request.headers).filter(([name]) => !OF_THE_CONNECTION.has(name))
    const answer = await ask(url + request.url, {
      method,
      headers: headers.map(([name, value]) => [name, String(value)]),
      ...(chunks.length === 0 ? {} : { body: new Uint8Array(Buffer.concat(chunks)) }),
    })
    for (const [name, value] of answer.headers) {
      if (!OF_THE_CONNECTION.has(name)) response.setHeader(name, value)
    }
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()))
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
