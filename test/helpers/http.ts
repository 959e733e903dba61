import { type Agent, request } from 'node:http'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface RawRequest {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  readonly agent?: Agent
  /** Milliseconds until the request is given up. Default 30,000. */
  readonly timeoutMs?: number
}

/** One request as written, path untouched; the answer's body is not decoded. */
export function send(options: RawRequest): Promise<RawAnswer> {
  // The path goes as it is: `URL` would resolve dots and re-encode it.
  const [, host, port, path] = /^http:\/\/([^:/]+):(\d+)(.*)$/.exec(options.url) ?? []
  if (host === undefined) throw new Error(`not a plain URL: ${options.url}`)
  const body = Buffer.from(options.body ?? '')
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host,
      port: Number(port),
      path: path === '' ? '/' : path,
      method: options.method ?? 'GET',
      headers: { ...options.headers, 'content-length': String(body.length) },
      agent: options.agent ?? false,
      signal: AbortSignal.timeout(options.timeoutMs ?? 30_000),
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: Buffer.concat(chunks),
        }),
      )
    })
    outgoing.end(body)
  })
}
