import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type {
  HeaderBlock,
  Http2ServerOptions,
  PeerInfo,
  RequestHead,
  ServerStream,
  StreamHandler,
} from './types.ts'

/** Where the options name no other. */
export const REFERENCE_STREAM_WINDOW = 65_535
const WRITE_HIGH_WATER = 1024 * 1024
const EMPTY = new Uint8Array(0)

class ReferenceHead implements RequestHead {
  method = ''
  scheme = ''
  path = ''
  authority = ''
  readonly fields: readonly string[]
  memo: unknown = null

  constructor(raw: readonly string[]) {
    const fields: string[] = []
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at] ?? ''
      const value = raw[at + 1] ?? ''
      if (name === ':method') this.method = value
      else if (name === ':scheme') this.scheme = value
      else if (name === ':path') this.path = value
      else if (name === ':authority') this.authority = value
      else fields.push(name, value)
    }
    this.fields = fields
    if (this.authority === '') this.authority = this.get('host') ?? ''
  }

  get(name: string): string | undefined {
    const values = this.fields.filter((_, at) => at % 2 === 1 && this.fields[at - 1] === name)
    return values.length === 0 ? undefined : values.join(', ')
  }
}

/** One stream of `node:http2` as the contract has it. */
export class ReferenceStream implements ServerStream {
  readonly head: RequestHead
  readonly peer: PeerInfo
  unsent = 0
  readonly #stream: ServerHttp2Stream
  readonly #highWater: number
  readonly #releases = new Set<() => void>()
  #handler: StreamHandler | null = null
  #allowance: number
  #bodyEnded: boolean
  #responded = false
  #ended = false
  #waiting = false
  #trailers: OutgoingHttpHeaders = {}

  constructor(
    stream: ServerHttp2Stream,
    raw: readonly string[],
    peer: PeerInfo,
    options: Http2ServerOptions,
    hasBody: boolean,
  ) {
    this.#stream = stream
    this.head = new ReferenceHead(raw)
    this.peer = peer
    this.#highWater = options.limits?.writeHighWater ?? WRITE_HIGH_WATER
    this.#allowance = options.limits?.streamWindow ?? REFERENCE_STREAM_WINDOW
    this.#bodyEnded = !hasBody
    stream.on('error', () => {})
    stream.on('wantTrailers', () => this.#try(() => stream.sendTrailers(this.#trailers)))
    stream.once('close', () => this.#closed())
    this.#handler = options.onStream(this, hasBody)
    if (!hasBody) stream.resume()
    else {
      stream.on('data', (chunk: Buffer) => this.#received(chunk))
      stream.on('end', () => this.#bodyEnd())
    }
  }

  get id(): number {
    return this.#stream.id ?? 0
  }

  headers(block: HeaderBlock, end: boolean): void {
    if (this.#ended || this.#responded) return
    this.#responded = true
    this.#ended = end
    const how = { sendDate: false, ...(end ? { endStream: true } : { waitForTrailers: true }) }
    this.#try(() => this.#stream.respond(outgoing(block), how))
  }

  data(bytes: Uint8Array, release?: () => void): boolean {
    const done = (): void => {
      if (!this.#releases.delete(done)) return
      this.unsent -= bytes.length
      release?.()
      if (this.#waiting && this.unsent <= this.#highWater && !this.#ended) {
        this.#waiting = false
        this.#handler?.writable?.()
      }
    }
    this.unsent += bytes.length
    this.#releases.add(done)
    if (this.#ended || this.#stream.destroyed) done()
    else this.#stream.write(bytes, done)
    if (this.unsent > this.#highWater) this.#waiting = true
    return !this.#waiting
  }

  trailers(block: HeaderBlock): void {
    if (this.#ended) return
    this.#ended = true
    this.#trailers = outgoing(block)
    this.#stream.end()
  }

  answer(
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release?: () => void,
  ): void {
    this.headers(head, false)
    // Pieces leave in their order, so the last one's release is everybody's.
    for (let at = 0; at < body.length - 1; at++) this.data(body[at] ?? EMPTY)
    this.data(body[body.length - 1] ?? EMPTY, release)
    this.trailers(trailers)
  }

  reset(code: number): void {
    this.#bodyEnded = true
    this.#ended = true
    this.#stream.close(code)
  }

  credit(bytes: number): void {
    this.#allowance += bytes
    if (this.#allowance > 0) this.#stream.resume()
  }

  #received(chunk: Buffer): void {
    if (this.#bodyEnded) return
    this.#allowance -= chunk.length
    if (this.#allowance <= 0) this.#stream.pause()
    this.#handler?.data(chunk, false)
  }

  #bodyEnd(): void {
    // Node ends the body of a stream that was reset, too.
    if (this.#bodyEnded || this.#stream.aborted || this.#stream.rstCode !== 0) return
    this.#bodyEnded = true
    this.#handler?.data(EMPTY, true)
  }

  #closed(): void {
    const whole = this.#bodyEnded && this.#ended
    this.#ended = true
    this.#bodyEnded = true
    for (const release of this.#releases) release()
    if (!whole) this.#handler?.aborted()
  }

  #try(send: () => void): void {
    try {
      send()
    } catch {
      this.reset(constants.NGHTTP2_INTERNAL_ERROR)
    }
  }
}

function outgoing(block: HeaderBlock): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {}
  for (let at = 0; at < block.fields.length; at += 2) {
    const name = block.fields[at] ?? ''
    const value = block.fields[at + 1] ?? ''
    const known = headers[name]
    headers[name] = known === undefined ? value : ([] as string[]).concat(known, value)
  }
  return headers
}
