import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Connections } from '../../adapters/http2/connections.ts'
import { headerBlock } from '../../adapters/http2/hpack/encoder.ts'
import { DEFAULT_HTTP2_LIMITS, DEFAULT_KEEPALIVE } from '../../adapters/http2/limits.ts'
import { SlabPool } from '../../adapters/http2/output.ts'
import { serverPreface } from '../../adapters/http2/settings.ts'
import { TurnEnd } from '../../adapters/http2/turn-end.ts'
import type { ServerStream, StreamHandler } from '../../adapters/http2/types.ts'
import { seeded } from '../adapters/http2/hpack/seeded.ts'
import { DONE, OK, pattern } from '../helpers/http2-app.ts'
import { FrameFuzz } from './fuzz-frames.ts'
import { FuzzSocket } from './fuzz-socket.ts'

const SEQUENCES = 100_000
/** Of one connection, when it lives that long. */
const PER_CONNECTION = 30
const NO = headerBlock([':status', '200', 'grpc-status', '12'])
const BODY = pattern(30_000)

describe('an HTTP/2 peer that sends what comes to its mind', () => {
  it(`breaks nothing in ${SEQUENCES} mutated sequences of frames`, async () => {
    const { random, seed } = seeded()
    const faults: string[] = []
    const app = new FuzzApp(random, faults)
    const limits = { ...DEFAULT_HTTP2_LIMITS, streamWindow: 1_000, maxConcurrentStreams: 20 }
    const log = (text: string): void => {
      faults.push(text)
    }
    const connections = new Connections({
      limits,
      keepalive: DEFAULT_KEEPALIVE,
      onStream: (stream, hasBody) => app.take(stream, hasBody),
      log: { warning: log, error: log },
      slabs: new SlabPool(),
      turnEnd: new TurnEnd(),
      preface: serverPreface(limits),
    })
    const fuzz = new FrameFuzz(random)
    const sockets = new Set<FuzzSocket>()
    let socket = new FuzzSocket(random)
    let left = 0
    let opened = 0
    for (let at = 0; at < SEQUENCES && faults.length === 0; at++) {
      if (left === 0 || socket.destroyed || socket.writableEnded) {
        // Some connections stay for a while without a word.
        if (random() < 0.8) socket.destroy()
        socket = new FuzzSocket(random)
        sockets.add(socket)
        const one = socket
        one.once('close', () => sockets.delete(one))
        connections.add(socket as unknown as Socket, { address: '', tls: false, certificate: '' })
        socket.feed(fuzz.begin())
        left = PER_CONNECTION
        opened++
      }
      left--
      try {
        socket.feed(fuzz.sequence())
        app.goOn()
      } catch (error) {
        faults.push(`sequence ${at}: ${error instanceof Error ? error.stack : String(error)}`)
      }
      if (socket.fault !== '') faults.push(`sequence ${at}: ${socket.fault}`)
      if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const one of sockets) one.destroy()
    while (connections.size > 0) await new Promise((resolve) => setImmediate(resolve))
    connections.stop()
    expect(faults, `seed ${seed}`).toEqual([])
    expect(connections.streams).toBe(0)
    // The frames were not so wrong that nothing was asked, nor so right that nothing ended.
    expect(app.streams).toBeGreaterThan(SEQUENCES / 20)
    expect(opened).toBeGreaterThan(SEQUENCES / 100)
    expect([app.answers, app.streams]).toEqual([app.released, app.streams])
  })
})

/** Handlers that do what they are allowed to, at any time, and note what they should not see. */
class FuzzApp {
  streams = 0
  answers = 0
  released = 0
  readonly #random: () => number
  readonly #faults: string[]
  readonly #later: ServerStream[] = []

  constructor(random: () => number, faults: string[]) {
    this.#random = random
    this.#faults = faults
  }

  take(stream: ServerStream, hasBody: boolean): StreamHandler {
    this.streams++
    let over = !hasBody
    let aborted = 0
    if (this.#random() < 0.5) this.#act(stream)
    else this.#later.push(stream)
    return {
      data: (chunk, end) => {
        if (over) this.#faults.push('data after the end')
        over = end
        if (this.#random() < 0.7) stream.credit(chunk.length)
        if (this.#random() < 0.2) this.#act(stream)
      },
      aborted: () => {
        over = true
        if (++aborted > 1) this.#faults.push('aborted twice')
        if (this.#random() < 0.2) this.#act(stream)
      },
      writable: () => this.#act(stream),
    }
  }

  /** What an application does some time later. */
  goOn(): void {
    if (this.#later.length > 100) this.#later.splice(0, 50)
    const stream = this.#later[Math.floor(this.#random() * this.#later.length)]
    if (stream !== undefined) this.#act(stream)
  }

  #act(stream: ServerStream): void {
    const kind = Math.floor(this.#random() * 7)
    const release = (): void => {
      this.released++
    }
    if (kind === 0) stream.headers(NO, true)
    else if (kind === 1) stream.headers(OK, false)
    else if (kind === 2) stream.trailers(DONE)
    else if (kind === 3) stream.reset(Math.floor(this.#random() * 14))
    else if (kind === 4) stream.credit(Math.floor(this.#random() * 1e6))
    else if (kind === 5) {
      this.answers++
      stream.data(BODY.subarray(0, Math.floor(this.#random() * BODY.length)), release)
    } else {
      this.answers++
      stream.answer(OK, [BODY.subarray(0, 20), BODY], DONE, release)
    }
  }
}
