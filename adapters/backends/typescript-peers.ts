import type { Peers } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import { InferRequest, type InferResponse, type ResponseSink } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import {
  MAX_UNTAKEN,
  type ToWorker,
  type WireCall,
  type WireControl,
} from './typescript-messages.ts'
import { noBytes, packAligned, tensorOf, wireError } from './typescript-wire.ts'

export interface PeerCallsOptions {
  /** undefined = there are no other models. */
  readonly peers: Peers | undefined
  readonly clock: Clock
  readonly post: (message: ToWorker, transfer?: readonly ArrayBuffer[]) => void
  /** The request that a call is made for; undefined = none. */
  readonly requestOf: (run: number, index: number) => InferRequest | undefined
}

/** Carries out what one instance of a model asks of the rest of the server. */
export class PeerCalls {
  readonly #options: PeerCallsOptions
  readonly #open: Map<number, PeerSink> = new Map()
  #closed = false

  constructor(options: PeerCallsOptions) {
    this.#options = options
  }

  infer(message: WireCall): void {
    const { peers, clock, requestOf, post } = this.#options
    const { call, model, version, buffer } = message
    const { inputs, batchSize: _, ...rest } = message.request
    const caller = requestOf(message.run, message.index)
    const sink = new PeerSink((answer, final) => {
      if (final) this.#open.delete(call)
      if (!this.#closed) sendAnswer(post, call, answer, final)
      else if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
    })
    const request = new InferRequest(
      {
        ...rest,
        inputs: inputs.map((input) => tensorOf(input, buffer)),
        owner: caller?.owner ?? '',
        trace: caller?.trace?.child() ?? null,
      },
      sink,
    )
    sink.request = request
    this.#open.set(call, sink)
    try {
      if (peers === undefined) throw noPeers()
      // One turn from here: the model stays what it is until it has the request.
      const peer = peers.find(model, version)
      request.startNs = clock.now()
      peer.check(request)
      peer.submit(request)
    } catch (error) {
      request.respond(ServerError.from(error))
    }
  }

  /** The caller wants no more answers. */
  stop(call: number): void {
    this.#open.get(call)?.request?.cancel()
  }

  taken(call: number): void {
    this.#open.get(call)?.taken()
  }

  control({ call, action, model, version }: WireControl): void {
    const { peers, post } = this.#options
    const work = async (): Promise<boolean> => {
      if (peers === undefined) throw noPeers()
      if (action === 'ready') return isReady(peers, model, version)
      await peers[action](model)
      return true
    }
    work().then(
      (result) => this.#closed || post({ kind: 'controlled', call, result }),
      (error: unknown) => {
        const result = wireError(error, 'INTERNAL')
        if (!this.#closed) post({ kind: 'controlled', call, result })
      },
    )
  }

  /** Nobody waits for any answer any more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const sink of this.#open.values()) sink.request?.cancel()
    this.#open.clear()
  }
}

function sendAnswer(
  post: PeerCallsOptions['post'],
  call: number,
  answer: InferResponse | ServerError | null,
  final: boolean,
): void {
  if (answer === null || answer instanceof ServerError) {
    const error = answer === null ? null : wireError(answer, 'INTERNAL')
    post({ kind: 'answer', call, answer: error, final, buffer: noBytes() })
    return
  }
  const { groups, buffer } = packAligned([answer.outputs])
  const { parameters = null } = answer
  answer.release?.()
  const wire = { outputs: groups[0] ?? [], parameters }
  post({ kind: 'answer', call, answer: wire, final, buffer }, [buffer])
}

function isReady(peers: Peers, model: string, version: string): boolean {
  try {
    return peers.find(model, version).ready
  } catch (error) {
    if (error instanceof ServerError) return false
    throw error
  }
}

function noPeers(): ServerError {
  return new ServerError('UNSUPPORTED', 'models of this server cannot call each other')
}

/** Takes the answers of one call. */
class PeerSink implements ResponseSink {
  request: InferRequest | null = null
  readonly #pass: (answer: InferResponse | ServerError | null, final: boolean) => void
  #untaken = 0

  constructor(pass: (answer: InferResponse | ServerError | null, final: boolean) => void) {
    this.#pass = pass
  }

  answer(_request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    this.#untaken++
    this.#pass(answer, final)
  }

  congested(): boolean {
    return this.#untaken >= MAX_UNTAKEN
  }

  taken(): void {
    this.#untaken--
    const { request } = this
    if (request?.onWritable == null || this.congested()) return
    const resume = request.onWritable
    request.onWritable = null
    resume()
  }
}
