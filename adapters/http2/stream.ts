import type { SendQueue } from './send-queue.ts'
import type { HeaderBlock, PeerInfo, RequestHead, ServerStream, StreamHandler } from './types.ts'

/** The send half of a connection, as a stream sees it. */
export interface StreamSender {
  headers(stream: Stream, block: HeaderBlock, end: boolean): void
  data(stream: Stream, bytes: Uint8Array, release: (() => void) | undefined): boolean
  trailers(stream: Stream, block: HeaderBlock): void
  answer(
    stream: Stream,
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release: (() => void) | undefined,
  ): void
}

/** The connection, as a stream sees it. */
export interface StreamOwner {
  readonly peer: PeerInfo
  readonly sender: StreamSender
  /** There is something to send. */
  touched(): void
  resetStream(stream: Stream, code: number): void
  creditStream(stream: Stream, bytes: number): void
}

const NO_HANDLER: StreamHandler = { data: () => undefined, aborted: () => undefined }

/** One request and its response. The connection keeps its state here; the application sees {@link ServerStream}. */
export class Stream implements ServerStream {
  readonly id: number
  readonly head: RequestHead
  readonly owner: StreamOwner
  handler: StreamHandler = NO_HANDLER

  /** The peer has ended its side. */
  remoteEnded: boolean
  /** The last frame of the response was handed to the connection's output. */
  localEnded = false
  /** Gone from the connection: calls do nothing. */
  closed = false

  /** What we may send; negative after the peer made its windows smaller. */
  sendWindow: number
  /** What the peer may send. */
  receiveWindow: number
  /** Credit that was given and not yet announced. */
  unannounced = 0
  /** Octets the request's content-length promises; -1 = it says nothing. */
  readonly expected: number
  received = 0
  sent = 0

  /** What had to wait; null while nothing ever had to. */
  queue: SendQueue | null = null
  /** A write returned false since `writable` was last called. */
  wantsWritable = false

  /** In the sender's list of streams that can go on. */
  listed = false
  next: Stream | null = null

  /** Of the sweep: octets moved and when they were last seen to. */
  seenReceived = 0
  seenSent = 0
  receivedAt = 0
  sentAt = 0

  constructor(
    id: number,
    head: RequestHead,
    owner: StreamOwner,
    remoteEnded: boolean,
    sendWindow: number,
    receiveWindow: number,
    expected: number,
  ) {
    this.id = id
    this.head = head
    this.owner = owner
    this.remoteEnded = remoteEnded
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
    this.expected = expected
  }

  get peer(): PeerInfo {
    return this.owner.peer
  }

  /** Nothing of the response waits. */
  get drained(): boolean {
    return this.queue === null || this.queue.empty
  }

  get unsent(): number {
    return this.queue === null ? 0 : this.queue.bytes
  }

  headers(block: HeaderBlock, end: boolean): void {
    if (this.closed) return
    this.owner.sender.headers(this, block, end)
    this.owner.touched()
  }

  data(bytes: Uint8Array, release?: () => void): boolean {
    if (this.closed) {
      release?.()
      return true
    }
    const more = this.owner.sender.data(this, bytes, release)
    this.owner.touched()
    return more
  }

  trailers(block: HeaderBlock): void {
    if (this.closed) return
    this.owner.sender.trailers(this, block)
    this.owner.touched()
  }

  answer(
    head: HeaderBlock,
    body: readonly Uint8Array[],
    trailers: HeaderBlock,
    release?: () => void,
  ): void {
    if (this.closed) {
      release?.()
      return
    }
    this.owner.sender.answer(this, head, body, trailers, release)
    this.owner.touched()
  }

  reset(code: number): void {
    if (!this.closed) this.owner.resetStream(this, code)
  }

  credit(bytes: number): void {
    if (!this.closed && !this.remoteEnded) this.owner.creditStream(this, bytes)
  }
}
