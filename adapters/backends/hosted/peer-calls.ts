import type { PeerModel, Peers } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import {
  InferRequest,
  type InferRequestOptions,
  type InferResponse,
  type ResponseSink,
} from '../../../core/infer.ts'
import type { Clock } from '../../../core/platform.ts'
import { MAX_UNTAKEN } from './untaken.ts'

/** A call that a model makes to another. */
export interface PeerCall {
  readonly call: number
  readonly model: string
  /** '' = what the version policy serves. */
  readonly version: string
  readonly options: InferRequestOptions
  /** The request of the caller that it is made for; undefined = none. */
  readonly caller: InferRequest | undefined
  /** Throws where the model cannot be called so. */
  readonly check?: (peer: PeerModel) => void
  /** The call has its last answer, and its inputs are read no more. */
  readonly settled?: () => void
}

/** What a model has done to another, or wants to know of it. */
export interface PeerControl {
  readonly call: number
  readonly action: 'load' | 'unload' | 'ready'
  readonly model: string
  readonly version: string
  /** Of `load`: as with the load API. */
  readonly config?: string
  readonly files?: ReadonlyMap<string, Uint8Array>
  /** Of `unload`: with the models that only it needs. */
  readonly dependents?: boolean
}

export interface PeerCallsOptions {
  /** undefined = there are no other models. */
  readonly peers: Peers | undefined
  readonly clock: Clock
  /** Passes an answer on, and gives its memory back when it has. */
  readonly answer: (
    call: number,
    answer: InferResponse | ServerError | null,
    final: boolean,
  ) => void
  /** What the caller is told of a request that its model does not take. Default: the error as it is. */
  readonly refused?: (call: PeerCall, error: ServerError) => ServerError
  readonly controlled: (call: number, result: boolean | ServerError) => void
}

/** Carries out what one instance of a model, which runs elsewhere, asks of the rest of the server. */
export class PeerCalls {
  readonly #options: PeerCallsOptions
  readonly #open: Map<number, PeerSink> = new Map()
  #closed = false

  constructor(options: PeerCallsOptions) {
    this.#options = options
  }

  infer(asked: PeerCall): void {
    const { call, model, version, options, caller, settled } = asked
    const { peers, clock, refused } = this.#options
    const sink = new PeerSink((answer, final) => {
      if (final) {
        this.#open.delete(call)
        settled?.()
      }
      if (!this.#closed) this.#options.answer(call, answer, final)
      else if (answer !== null && !(answer instanceof ServerError)) answer.release?.()
    })
    const request = new InferRequest(
      { ...options, owner: caller?.owner ?? '', trace: caller?.trace?.child() ?? null },
      sink,
    )
    sink.request = request
    this.#open.set(call, sink)
    try {
      if (peers === undefined) throw noPeers()
      // One turn from here: the model stays what it is until it has the request.
      const peer = peers.find(model, version)
      request.startNs = clock.now()
      asked.check?.(peer)
      peer.check(request)
      peer.submit(request)
    } catch (error) {
      const reason = ServerError.from(error)
      request.respond(refused === undefined ? reason : refused(asked, reason))
    }
  }

  /** The caller wants no more answers. */
  stop(call: number): void {
    this.#open.get(call)?.request?.cancel()
  }

  taken(call: number): void {
    this.#open.get(call)?.taken()
  }

  control(asked: PeerControl): void {
    const { call } = asked
    this.#carryOut(asked).then(
      (result) => this.#closed || this.#options.controlled(call, result),
      (error: unknown) => {
        if (!this.#closed) this.#options.controlled(call, errorOf(error))
      },
    )
  }

  /** Nobody waits for any answer any more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const sink of this.#open.values()) sink.request?.cancel()
    this.#open.clear()
  }

  async #carryOut(asked: PeerControl): Promise<boolean> {
    const { peers } = this.#options
    const { action, model, version, config, files } = asked
    if (peers === undefined) throw noPeers()
    if (action === 'ready') return isReady(peers, model, version)
    if (action === 'unload') await peers.unload(model, asked.dependents)
    else {
      await peers.load(model, {
        ...(config === undefined ? {} : { config }),
        ...(files === undefined ? {} : { files }),
      })
    }
    return true
  }
}

function errorOf(error: unknown): ServerError {
  if (error instanceof ServerError) return error
  return new ServerError('INTERNAL', error instanceof Error ? error.message : String(error))
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
