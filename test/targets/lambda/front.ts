import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EmulatedFunction } from './emulator.ts'

/** A port that passes requests to a function, for clients that speak HTTP only. */
export async function openFront(
  fn: Pick<EmulatedFunction, 'fetch' | 'url'>,
): Promise<{ readonly address: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const headers = new Headers(request.headersDistinct as unknown as Record<string, string>)
    const { method = 'GET' } = request
    const body = parts.length > 0 ? Buffer.concat(parts) : null
    const answer = await fn.fetch(`${fn.url}${request.url}`, { method, headers, body })
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
