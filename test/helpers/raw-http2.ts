import { connect, type Socket } from 'node:net'

/** Frame types (RFC 9113 §6). */
export const Frame = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** The bytes of one frame; nothing is checked. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, 9)
  return bytes
}

/** A payload of one 32-bit number: WINDOW_UPDATE, RST_STREAM. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A SETTINGS payload: identifier, value, … */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(6 * pairs.length)
  pairs.forEach(([id, value], at) => {
    bytes.writeUInt16BE(id, 6 * at)
    bytes.writeUInt32BE(value, 6 * at + 2)
  })
  return bytes
}

/** An HTTP/2 peer without a mind: it sends what it is told and collects what comes. */
export class RawHttp2 {
  readonly socket: Socket
  /** What came and was not taken by {@link next}; the latest {@link MAX_KEPT}. */
  readonly frames: RawFrame[] = []
  /** Frames that came, by type. */
  readonly counts: number[] = new Array<number>(10).fill(0)
  ended = false
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>
  #held: Buffer = Buffer.alloc(0)
  #wake: (() => void)[] = []
  readonly #acknowledge: boolean

  constructor(socket: Socket, acknowledge: boolean) {
    this.socket = socket
    this.#acknowledge = acknowledge
    socket.on('error', () => {})
    socket.on('data', (chunk) => this.#received(chunk))
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.ended = true
        this.#wakeAll()
        resolve()
      })
    })
  }

  /** False when the socket is full: then wait for {@link drained}. */
  send(...parts: readonly Uint8Array[]): boolean {
    if (this.ended || !this.socket.writable) return true
    return this.socket.write(parts.length === 1 ? (parts[0] ?? '') : Buffer.concat(parts))
  }

  /** Resolves when what was sent left this process, or the connection is gone. */
  async drained(): Promise<void> {
    if (this.ended || this.socket.writableLength === 0) return
    await Promise.race([
      this.closed,
      new Promise<void>((resolve) => this.socket.once('drain', resolve)),
    ])
  }

  /** Takes the first frame that `wanted` accepts; null when the connection ended without one. */
  async next(wanted: (frame: RawFrame) => boolean): Promise<RawFrame | null> {
    for (;;) {
      const at = this.frames.findIndex(wanted)
      if (at >= 0) return this.frames.splice(at, 1)[0] ?? null
      if (this.ended) return null
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** A PING that comes back: the peer handled all that was sent before. False when the connection ended. */
  async ping(): Promise<boolean> {
    const data = Buffer.alloc(8)
    data.writeDoubleBE(Math.random())
    this.send(frame(Frame.PING, 0, 0, data))
    return (await this.next((one) => one.type === Frame.PING && one.payload.equals(data))) !== null
  }

  destroy(): void {
    this.socket.destroy()
  }

  #received(chunk: Buffer): void {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (bytes.length >= 9) {
      const size = 9 + bytes.readUIntBE(0, 3)
      if (bytes.length < size) break
      const type = bytes[3] ?? 0
      const flags = bytes[4] ?? 0
      this.counts[type] = (this.counts[type] ?? 0) + 1
      if (this.#acknowledge && type === Frame.SETTINGS && flags === 0) {
        this.send(frame(Frame.SETTINGS, Flag.ACK, 0))
      }
      const stream = bytes.readUInt32BE(5) & 0x7fffffff
      this.frames.push({ type, flags, stream, payload: Buffer.from(bytes.subarray(9, size)) })
      if (this.frames.length > MAX_KEPT) this.frames.shift()
      bytes = bytes.subarray(size)
    }
    this.#held = Buffer.from(bytes)
    this.#wakeAll()
  }

  #wakeAll(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

const MAX_KEPT = 10_000

export interface RawHttp2Options {
  /** Sent after the preface; null = not even the preface. */
  readonly settings?: Uint8Array | null
  /** Whether the peer's SETTINGS are acknowledged; default true where a preface is sent. */
  readonly acknowledge?: boolean
}

/** Connects to a plain HTTP/2 port of this machine. */
export async function rawHttp2(port: number, options: RawHttp2Options = {}): Promise<RawHttp2> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const raw = new RawHttp2(socket, options.acknowledge ?? options.settings !== null)
  if (options.settings !== null) {
    raw.send(PREFACE, frame(Frame.SETTINGS, 0, 0, options.settings ?? settings()))
  }
  return raw
}
