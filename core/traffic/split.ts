import type { Clock } from '../platform.ts'
import type { Routable, ServedModel } from '../server-types.ts'
import type { Candidate } from './candidate.ts'
import { NO_POLICY } from './policy.ts'
import { SequenceBindings } from './sequence-bindings.ts'
import type { ShadowTraffic } from './shadow-traffic.ts'
import { SmoothChoice } from './smooth-choice.ts'
import { SplitModel } from './split-model.ts'
import { stickyChoice } from './sticky-choice.ts'
import type { ShadowPolicy, TrafficPolicy, TrafficSource } from './types.ts'

/** What a scheduler gives a sequence by default before it counts as ended. */
const DEFAULT_IDLE_NS = 1e9

/** The traffic of one model that names no version. */
export class Split {
  readonly model: string
  readonly shadow: ShadowTraffic
  readonly #clock: Clock
  readonly #turns = new SmoothChoice()
  #policy: TrafficPolicy = NO_POLICY
  #source: TrafficSource = 'none'
  /** Ascending; never empty. */
  #serving: readonly ServedModel[]
  #candidates: readonly Candidate[] = []
  /** null also where answers come one by one: their pace is the client's. */
  #shadowing: ShadowPolicy | null = null
  #sequences: SequenceBindings | null = null
  #front: ServedModel

  constructor(options: {
    readonly model: string
    readonly clock: Clock
    readonly shadow: ShadowTraffic
    readonly serving: readonly ServedModel[]
  }) {
    this.model = options.model
    this.#clock = options.clock
    this.shadow = options.shadow
    this.#serving = options.serving
    this.#front = new SplitModel(this, this.#latest)
    this.serve(options.serving)
  }

  get policy(): TrafficPolicy {
    return this.#policy
  }

  get source(): TrafficSource {
    return this.#source
  }

  /** Versions in service, ascending. */
  get serving(): readonly ServedModel[] {
    return this.#serving
  }

  /** What front ends are given for the plain name. */
  get front(): ServedModel {
    return this.#front
  }

  get #latest(): ServedModel {
    return this.#serving.at(-1) as ServedModel
  }

  /** Takes over the versions in service: one at least. */
  serve(serving: readonly ServedModel[]): void {
    this.#serving = serving
    this.#front = new SplitModel(this, this.#latest)
    const { sequence_batching: sequences, ensemble_scheduling: ensemble } = this.#latest.config
    if (sequences === undefined && ensemble === undefined) this.#sequences = null
    else if (this.#sequences === null) {
      const idleUs = sequences?.max_sequence_idle_microseconds ?? 0
      const idleNs = idleUs > 0 ? idleUs * 1e3 : DEFAULT_IDLE_NS
      this.#sequences = new SequenceBindings(this.#clock, idleNs)
    }
    this.#choose()
  }

  follow(policy: TrafficPolicy, source: TrafficSource): void {
    this.#policy = policy
    this.#source = source
    this.#choose()
  }

  /** The version that is to run `request`. Each call is one request. */
  route(request: Routable): ServedModel {
    const sequences = this.#sequences
    const { sequenceId = 0n } = request
    if (sequences !== null && sequenceId !== 0n && sequenceId !== '') {
      return this.#routeSequence(sequences, request)
    }
    const model = this.#next(request)
    const shadow = this.#shadowing
    if (shadow === null || model.version === shadow.version) return model
    const other = this.#find(shadow.version)
    return other === undefined ? model : this.shadow.front(model, other, shadow.fraction)
  }

  #routeSequence(sequences: SequenceBindings, request: Routable): ServedModel {
    if (request.sequenceStart !== true) {
      const version = sequences.find(request)
      const bound = version === undefined ? undefined : this.#find(version)
      // One that never began, or whose version is gone, is told so by the scheduler it comes to.
      return bound ?? this.#latest
    }
    const model = this.#next(request)
    sequences.bind(request, model.version)
    return model
  }

  #next(request: Routable): ServedModel {
    const { stickyBy } = this.#policy
    const value = stickyBy === '' ? undefined : parameterOf(request, stickyBy)
    const chosen = value === undefined ? this.#turns.next() : stickyChoice(this.#candidates, value)
    return chosen?.model ?? this.#latest
  }

  #find(version: number): ServedModel | undefined {
    for (const model of this.#serving) if (model.version === version) return model
    return undefined
  }

  #choose(): void {
    const decoupled = isDecoupled(this.#latest)
    const candidates: Candidate[] = []
    for (const model of this.#serving) {
      const weight = this.#policy.weights.get(model.version) ?? 0
      // The client was told how many answers to expect before its request came here.
      if (weight > 0 && isDecoupled(model) === decoupled) candidates.push({ model, weight })
    }
    this.#candidates = candidates
    this.#shadowing = decoupled ? null : this.#policy.shadow
    this.#turns.set(candidates)
  }
}

function isDecoupled({ config }: ServedModel): boolean {
  return config.model_transaction_policy?.decoupled === true
}

/** Names in any case: a parameter may come from a header, and proxies change their case. */
function parameterOf({ parameters }: Routable, name: string): string | undefined {
  if (!parameters) return undefined
  const exact = parameters.get(name)
  if (exact !== undefined) return String(exact)
  const lower = name.toLowerCase()
  for (const [key, value] of parameters) if (key.toLowerCase() === lower) return String(value)
  return undefined
}
