import { STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { ANSWER_MS, NoAnswer } from './client.ts'
import type { Door } from './door.ts'
import type { GrpcCall, GrpcConnection } from './grpc.ts'
import { grpcAnswered, inferMessage, streamParts } from './grpc-inference.ts'
import type { Inference } from './inference.ts'

interface Open {
  readonly asked: Inference
  readonly start: number
  finish(outcome: BigInt64Array | string | null | NoAnswer): void
}

/**
 * One ModelStreamInfer that several askers share: answers have to come in the order of the requests. A cancellation resets
 * the stream with everything on it.
 */
export class StreamDoor implements Door {
  readonly name = 'gRPC stream'
  readonly together: number
  readonly #connection: GrpcConnection
  #call: GrpcCall | null = null
  #open: Open[] = []
  #cancelled = false

  constructor(connection: GrpcConnection, together: number) {
    this.#connection = connection
    this.together = together
  }

  ask(
    asked: Inference,
    cancel?: (destroy: () => void) => void,
  ): Promise<BigInt64Array | string | null> {
    this.#call ??= this.#start()
    const call = this.#call
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => call.cancel(), ANSWER_MS)
      this.#open.push({
        asked,
        start: performance.now(),
        finish(outcome) {
          clearTimeout(timer)
          if (outcome instanceof NoAnswer) reject(outcome)
          else resolve(outcome)
        },
      })
      call.send(inferMessage(asked))
      cancel?.(() => {
        if (this.#call !== call) return
        this.#cancelled = true
        call.cancel()
      })
    })
  }

  /** Says that nothing more comes and waits for the end; the status, 0 when there is no stream. */
  async close(): Promise<number> {
    const call = this.#call
    if (call === null) return 0
    call.end()
    return (await call.ended).code
  }

  #start(): GrpcCall {
    const call = this.#connection.call({
      path: STREAM_INFER_PATH,
      onMessage: (message) => this.#received(call, message),
    })
    void call.ended.then(({ code, text }) => {
      const open = this.#open
      const cancelled = this.#cancelled
      this.#open = []
      this.#cancelled = false
      if (this.#call === call) this.#call = null
      for (const { start, finish } of open) {
        const cause: NodeJS.ErrnoException = new Error(`status ${code} ${text}`)
        if (this.#connection.refused) cause.code = 'ECONNREFUSED'
        finish(cancelled ? null : new NoAnswer(cause, false, performance.now() - start))
      }
    })
    return call
  }

  #received(call: GrpcCall, message: Buffer): void {
    if (call !== this.#call) return
    const first = this.#open.shift()
    if (first === undefined) throw new Error('a stream answered more often than it was asked')
    const { error, response } = streamParts(message)
    const { asked } = first
    first.finish(error === '' ? grpcAnswered(asked, response) : `${asked.id}: ${error}`)
  }
}
