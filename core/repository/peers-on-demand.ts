import type { PeerModel, Peers } from '../backend/types.ts'
import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import { withModel } from '../protocol/bring-model.ts'
import type { OnDemand } from '../server-types.ts'

/**
 * `peers` of a server that loads on demand: a model that calls another has it loaded, as a client does, and it stays until
 * the request is with it. None is unloaded by another: room is made where it is needed.
 */
export function peersOnDemand(onDemand: OnDemand, peers: Peers): Peers {
  return {
    find(name, version) {
      if (onDemand.here(name)) return peers.find(name, version)
      return new AbsentPeer(onDemand, peers, name, version)
    },
    load: (name) => withModel(onDemand, name, undefined, () => {}, true),
    unload: (name, dependents) => peers.unload(name, dependents),
  }
}

/** A model that is loaded when it gets a request. */
class AbsentPeer implements PeerModel {
  readonly #onDemand: OnDemand
  readonly #peers: Peers
  readonly #name: string
  readonly #version: string

  constructor(onDemand: OnDemand, peers: Peers, name: string, version: string) {
    this.#onDemand = onDemand
    this.#peers = peers
    this.#name = name
    this.#version = version
  }

  get ready(): boolean {
    return this.#onDemand.offers(this.#name, this.#version)
  }

  /** What is wrong with a request is told when the model is there. */
  check(): void {}

  submit(request: InferRequest): void {
    const waiting = new AbortController()
    request.onCancel = () => waiting.abort()
    if (request.cancelled) waiting.abort()
    const submit = (): void => {
      request.onCancel = null
      const peer = this.#peers.find(this.#name, this.#version)
      peer.check(request)
      peer.submit(request)
    }
    // Who calls is busy until then: no load may wait for it meanwhile.
    withModel(this.#onDemand, this.#name, waiting.signal, submit, true).catch((error: unknown) =>
      request.respond(ServerError.from(error)),
    )
  }
}
