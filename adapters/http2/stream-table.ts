import { ClosedStreams } from './closed-streams.ts'
import { REMEMBERED_STREAMS } from './limits.ts'
import type { Stream } from './stream.ts'

/** The open streams of a connection, and what is remembered of closed ones. */
export class StreamTable {
  readonly open: Map<number, Stream> = new Map()
  readonly closed: ClosedStreams = new ClosedStreams(REMEMBERED_STREAMS)
  /** The largest identifier that the peer has used. */
  lastId = 0
  /** Frames of one stream mostly come together. */
  #recent: Stream | undefined

  find(id: number): Stream | undefined {
    if (this.#recent !== undefined && this.#recent.id === id) return this.#recent
    const stream = this.open.get(id)
    if (stream !== undefined) this.#recent = stream
    return stream
  }

  add(stream: Stream): void {
    this.open.set(stream.id, stream)
    this.#recent = stream
  }

  /** `how` is a `Closed`. */
  remove(stream: Stream, how: number): void {
    this.open.delete(stream.id)
    if (this.#recent === stream) this.#recent = undefined
    this.closed.add(stream.id, how)
  }
}
