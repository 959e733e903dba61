import { Agent, request } from 'node:http'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** How a request that got no answer ended. */
export class NoAnswer extends Error {
  /** A part of an answer had come. */
  readonly begun: boolean
  /** The connection could not be made. */
  readonly refused: boolean
  /** Milliseconds since the request was written. */
  readonly ageMs: number

  constructor(cause: NodeJS.ErrnoException, begun: boolean, ageMs: number) {
    super(`no answer after ${Math.round(ageMs)} ms: ${cause.message}`, { cause })
    this.begun = begun
    this.refused = cause.code === 'ECONNREFUSED' || cause.syscall === 'connect'
    this.ageMs = ageMs
  }
}

export interface Question {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** Called with the means to destroy the connection; the question then ends with null. */
  readonly cancel?: (destroy: () => void) => void
}

/** Longest wait for an answer; what takes longer is missing. */
export const ANSWER_MS = 30_000

/** A client over keep-alive connections that tells every way in which an answer can fail to come. */
export class Client {
  readonly #agent: Agent
  readonly #port: number

  constructor(url: string, connections: number) {
    this.#port = Number(new URL(url).port)
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' })
  }

  /** The answer; null when it was cancelled. Throws {@link NoAnswer}. */
  ask({ path, method, headers, body, cancel }: Question): Promise<Reply | null> {
    const bytes = Buffer.from(body ?? '')
    const start = performance.now()
    return new Promise((resolve, reject) => {
      let cancelled = false
      let begun = false
      const fail = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer)
        if (cancelled) resolve(null)
        else reject(new NoAnswer(error, begun, performance.now() - start))
      }
      const outgoing = request({
        host: '127.0.0.1',
        port: this.#port,
        path,
        method: method ?? 'POST',
        headers: { ...headers, 'content-length': bytes.length },
        agent: this.#agent,
      })
      const timer = setTimeout(() => outgoing.destroy(new Error('timed out')), ANSWER_MS)
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => {
        begun = true
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', fail)
        incoming.on('end', () => {
          clearTimeout(timer)
          const { statusCode = 0, headers: received } = incoming
          resolve({ status: statusCode, headers: received, body: Buffer.concat(chunks) })
        })
      })
      outgoing.end(bytes)
      cancel?.(() => {
        cancelled = true
        outgoing.destroy(new Error('cancelled'))
      })
    })
  }

  /** Asks for `path` and returns the text; throws unless it is answered with 200. */
  async text(path: string, method = 'GET', body = ''): Promise<string> {
    const reply = await this.ask({ path, method, body })
    const text = reply?.body.toString() ?? ''
    if (reply?.status !== 200) throw new Error(`${path}: ${reply?.status} ${text}`)
    return text
  }

  close(): void {
    this.#agent.destroy()
  }
}
