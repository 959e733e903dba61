import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { send } from '../helpers/http.ts'

/** How one host carries what the REST routes are asked. */
export interface HostForm {
  /** Of content types that tell the length of the JSON part. */
  readonly type: string
  /** Where a REST path goes, and what is said with it. */
  readonly to: (path: string) => { readonly path: string; readonly headers: Record<string, string> }
}

export const SAGEMAKER: HostForm = {
  type: 'application/vnd.sagemaker-triton.binary+json;json-header-size=',
  to: (path) => ({
    path: path.replace(/^\/v2\/models\/([^/]+)\/infer$/, '/models/$1/invoke'),
    headers: {},
  }),
}
export const VERTEX: HostForm = {
  type: 'application/vnd.vertex-ai-triton.binary+json;json-header-size=',
  to: (path) => ({ path: '/predict', headers: { 'x-vertex-ai-triton-redirect': path.slice(1) } }),
}

const LENGTH = 'inference-header-content-length'

/** Takes REST requests, asks `base` in the form of its host, and answers as the REST routes do. */
export async function hostProxy(
  base: string,
  form: HostForm,
): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => void pass(request, response))
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { path, headers } = form.to(request.url ?? '')
    const length = request.headers[LENGTH]
    const type = length === undefined ? request.headers['content-type'] : form.type + length
    const answer = await send({
      url: base + path,
      method: 'POST',
      headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
      body: Buffer.concat(chunks),
    })
    const said = String(answer.headers['content-type'] ?? '')
    const typed = said.startsWith(form.type)
    const size = typed ? said.slice(form.type.length) : answer.headers[LENGTH]
    response.writeHead(answer.status, {
      'content-type': typed ? 'application/octet-stream' : said,
      ...(size === undefined ? {} : { [LENGTH]: String(size) }),
    })
    response.end(answer.body)
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
