import { CheckedHead } from '../../adapters/http2/request-head.ts'
import type {
  HeaderBlock,
  Http2Server,
  PeerInfo,
  RequestHead,
  ServerStream,
  StartHttp2,
  StreamHandler,
} from '../../adapters/http2/types.ts'

type OnStream = (stream: ServerStream, hasBody: boolean) => StreamHandler

const PEER: PeerInfo = { address: '127.0.0.1', tls: false, certificate: '' }
/** Bytes that may wait before a write returns false. */
const MARK = 2_000
const PREFIX_BYTES = 5

/** A transport without sockets, whose streams a test moves as it likes. */
export class FuzzTransport {
  readonly open = new Set<FuzzCall>()
  /** Streams ever opened. */
  opened = 0
  /** Messages of complete responses. */
  answers = 0
  readonly #faults: string[]
  #onStream: OnStream | null = null

  constructor(faults: string[]) {
    this.#faults = faults
  }

  readonly start: StartHttp2 = (options) => {
    this.#onStream = options.onStream
    const { open } = this
    const server: Http2Server = {
      port: 0,
      connections: 1,
      get streams() {
        return open.size
      },
      setTls: () => {},
      close: () => Promise.resolve(),
    }
    return Promise.resolve(server)
  }

  call(head: RequestHead, hasBody: boolean): FuzzCall {
    const call = new FuzzCall(head, this.#faults, () => {
      this.open.delete(call)
      this.answers += call.answers
    })
    this.open.add(call)
    this.opened++
    if (this.#onStream === null) throw new Error('not started')
    call.begin(this.#onStream(call, hasBody), hasBody)
    return call
  }
}

/** The head of a call; the same object may be used for many, as connections do. */
export function fuzzHead(path: string, fields: readonly string[]): RequestHead {
  const pseudo = { ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'a' }
  return new CheckedHead(pseudo, fields, -1)
}

/** One stream, which notes what an application may not do. */
export class FuzzCall implements ServerStream {
  readonly id = 1
  readonly peer = PEER
  readonly head: RequestHead
  /** Messages of the response, counted when it is complete. */
  answers = 0
  /** The response is complete. */
  ended = false
  /** Nothing more may come from the peer. */
  sent = false
  closed = false
  unsent = 0
  #handler: StreamHandler | null = null
  #begun = false
  #wantsWritable = false
  #bytes: Buffer[] = []
  #releases: (() => void)[] = []
  readonly #faults: string[]
  readonly #gone: () => void

  constructor(head: RequestHead, faults: string[], gone: () => void) {
    this.head = head
    this.#faults = faults
    this.#gone = gone
  }

  begin(handler: StreamHandler, hasBody: boolean): void {
    this.#handler = handler
    this.sent = !hasBody
    this.#closeWhenDone()
  }

  /** The peer sends a piece of the body. */
  send(chunk: Uint8Array, end: boolean): void {
    if (this.closed || this.sent) return
    this.sent = end
    this.#handler?.data(chunk, end)
    this.#closeWhenDone()
  }

  /** The peer resets the stream, or its connection is gone. */
  cut(): void {
    if (this.closed) return
    const handler = this.#handler
    this.#close()
    handler?.aborted()
  }

  /** The socket took what waited. */
  drain(): void {
    this.#release()
    this.unsent = 0
    if (!this.#wantsWritable) return
    this.#wantsWritable = false
    if (!this.closed && !this.ended) this.#handler?.writable?.()
  }

  headers(_block: HeaderBlock, end: boolean): void {
    if (this.closed || this.ended) return
    if (this.#begun) this.#faults.push('two response headers')
    this.#begun = true
    if (end) this.#end()
  }

  data(bytes: Uint8Array, release?: () => void): boolean {
    if (this.closed || this.ended) {
      release?.()
      return true
    }
    if (!this.#begun) this.#faults.push('a body without headers')
    this.#bytes.push(Buffer.from(bytes))
    this.unsent += bytes.length
    if (release !== undefined) this.#releases.push(release)
    if (this.unsent <= MARK) return true
    this.#wantsWritable = true
    return false
  }

  trailers(_block: HeaderBlock): void {
    if (this.closed || this.ended) return
    if (!this.#begun) this.#faults.push('trailers without headers')
    this.#end()
  }

  answer(
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release?: () => void,
  ): void {
    if (this.closed || this.ended) {
      release?.()
      return
    }
    this.headers(head, false)
    for (const part of body) this.data(part)
    if (release !== undefined) this.#releases.push(release)
    this.trailers(trailers)
  }

  reset(_code: number): void {
    this.#close()
  }

  credit(bytes: number): void {
    if (!(bytes > 0)) this.#faults.push(`credit of ${bytes}`)
  }

  #end(): void {
    this.ended = true
    this.#countMessages()
    // A transport tells a peer that still sends to stop.
    this.sent = true
    this.#closeWhenDone()
  }

  #countMessages(): void {
    let bytes = Buffer.concat(this.#bytes)
    this.#bytes = []
    while (bytes.length >= PREFIX_BYTES) {
      const size = PREFIX_BYTES + bytes.readUInt32BE(1)
      if (bytes.length < size) break
      this.answers++
      bytes = bytes.subarray(size)
    }
    if (bytes.length > 0) this.#faults.push('a response that ends within a message')
  }

  #closeWhenDone(): void {
    if (this.ended && this.sent && this.#handler !== null) this.#close()
  }

  #close(): void {
    if (this.closed) return
    this.closed = true
    this.#release()
    this.#gone()
  }

  #release(): void {
    const releases = this.#releases
    this.#releases = []
    for (const release of releases) release()
  }
}
