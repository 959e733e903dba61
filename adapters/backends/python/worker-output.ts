import type { Readable } from 'node:stream'
import type { Clock } from '../../../core/platform.ts'

/** Lines that a worker may write to the log in one second; those beyond it are counted. */
export const MAX_LINES_PER_SECOND = 100
/** Longer lines are cut. Bytes. */
export const MAX_LINE_BYTES = 4096

export interface WorkerOutputOptions {
  readonly clock: Clock
  readonly line: (text: string) => void
}

/** What a worker prints, by lines. It is always read, whatever becomes of it: a worker never waits for the log. */
export class WorkerOutput {
  readonly #options: WorkerOutputOptions
  #lines = 0
  #dropped = 0
  #sinceNs = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | null = null

  constructor(options: WorkerOutputOptions) {
    this.#options = options
  }

  read(stream: Readable): void {
    let rest: Buffer = EMPTY
    let cut = false
    const end = (): void => {
      if (rest.length > 0) this.#line(rest)
      rest = EMPTY
    }
    stream.on('data', (chunk: Buffer) => {
      let at = 0
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
        if (!cut) this.#line(join(rest, chunk, at, end))
        rest = EMPTY
        cut = false
        at = end + 1
      }
      if (cut || at === chunk.length) return
      rest = join(rest, chunk, at, chunk.length)
      if (rest.length < MAX_LINE_BYTES) return
      this.#line(rest)
      rest = EMPTY
      cut = true
    })
    stream.on('end', end)
    stream.on('error', end)
  }

  #line(bytes: Buffer): void {
    const { clock, line } = this.#options
    const now = clock.now()
    if (now - this.#sinceNs >= 1e9) {
      this.#tellDropped()
      this.#sinceNs = now
      this.#lines = 0
    }
    if (++this.#lines > MAX_LINES_PER_SECOND) {
      this.#dropped++
      this.#cancel ??= clock.after(1e9, () => this.#tellDropped())
      return
    }
    const text = bytes.toString('utf8', 0, MAX_LINE_BYTES).trimEnd()
    if (text !== '') line(text)
  }

  #tellDropped(): void {
    this.#cancel?.()
    this.#cancel = null
    if (this.#dropped === 0) return
    this.#options.line(`(${this.#dropped} more lines were not logged)`)
    this.#dropped = 0
  }
}

const EMPTY: Buffer = Buffer.alloc(0)

function join(rest: Buffer, chunk: Buffer, from: number, to: number): Buffer {
  const part = chunk.subarray(from, Math.min(to, from + MAX_LINE_BYTES))
  return rest.length === 0 ? part : Buffer.concat([rest, part])
}
