import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { Clock, Log } from '../platform.ts'
import type { ServedModel } from '../server-types.ts'
import { NO_POLICY, parsePolicy, TRAFFIC_PARAMETER } from './policy.ts'
import { ShadowTraffic } from './shadow-traffic.ts'
import { Split } from './split.ts'
import type { TrafficControl, TrafficPolicy, TrafficState, TrafficVersion } from './types.ts'

export interface TrafficTableOptions {
  readonly clock: Clock
  readonly log: Log
  /** Versions of a model in service, ascending. */
  readonly versionsOf: (model: string) => readonly ServedModel[]
  /** What a model answers for its plain name is another thing from now on. */
  readonly changed: () => void
}

/** The policy in a model's config; undefined where there is none. Throws INVALID_ARG for one that cannot be read. */
export function policyOf(config: ModelConfig): TrafficPolicy | undefined {
  const text = config.parameters?.[TRAFFIC_PARAMETER]?.string_value ?? ''
  return text === '' ? undefined : parsePolicy(text)
}

/** The traffic policies of all models. A model without one costs a look into a map when it is looked up, and nothing more. */
export class TrafficTable implements TrafficControl {
  readonly #options: TrafficTableOptions
  /** What the API asked for; it outlives a reload of the model, not the server. */
  readonly #asked = new Map<string, TrafficPolicy>()
  readonly #splits = new Map<string, Split>()

  constructor(options: TrafficTableOptions) {
    this.#options = options
  }

  /** What stands for the plain name of `model`; undefined where its highest version does. */
  front(model: string): ServedModel | undefined {
    return this.#splits.get(model)?.front
  }

  /** To be called when what serves `model` has changed, before anybody looks it up again. */
  update(model: string): void {
    const serving = this.#options.versionsOf(model)
    const latest = serving.at(-1)
    if (latest === undefined) {
      this.#splits.delete(model)
      return
    }
    const asked = this.#asked.get(model)
    const policy = asked ?? this.#configured(latest)
    if (policy === undefined) {
      this.#splits.delete(model)
      return
    }
    let split = this.#splits.get(model)
    if (split === undefined) {
      const { clock } = this.#options
      split = new Split({ model, clock, shadow: new ShadowTraffic(clock), serving })
      this.#splits.set(model, split)
    } else {
      split.serve(serving)
    }
    split.follow(policy, asked === undefined ? 'config' : 'api')
    this.#warn(split)
  }

  get(model: string): TrafficState {
    const serving = this.#serving(model)
    const split = this.#splits.get(model)
    const policy = split?.policy ?? NO_POLICY
    return {
      model,
      source: split?.source ?? 'none',
      policy,
      versions: versionsOf(serving, policy),
      shadows: split?.shadow.figures ?? [],
    }
  }

  set(model: string, policy: TrafficPolicy): TrafficState {
    const serving = this.#serving(model)
    const named = [...policy.weights.keys(), ...(policy.shadow ? [policy.shadow.version] : [])]
    for (const version of named) {
      if (serving.some((one) => one.version === version)) continue
      const there = serving.map((one) => one.version).join(', ')
      throw new ServerError(
        'INVALID_ARG',
        `traffic policy names version ${version} of model '${model}', which does not serve; these do: ${there}`,
      )
    }
    this.#asked.set(model, policy)
    return this.#follow(model)
  }

  reset(model: string): TrafficState {
    this.#serving(model)
    this.#asked.delete(model)
    return this.#follow(model)
  }

  all(): readonly TrafficState[] {
    return [...this.#splits.keys()].sort().map((model) => this.get(model))
  }

  #follow(model: string): TrafficState {
    this.update(model)
    this.#options.changed()
    return this.get(model)
  }

  #serving(model: string): readonly ServedModel[] {
    const serving = this.#options.versionsOf(model)
    if (serving.length > 0) return serving
    throw new ServerError('NOT_FOUND', `Request for unknown model: '${model}' is not found`)
  }

  /** A load checks the policy before it serves; what is wrong with one now came by another way and counts as none. */
  #configured({ name, config }: ServedModel): TrafficPolicy | undefined {
    try {
      return policyOf(config)
    } catch (error) {
      this.#options.log.error(`model '${name}': ${ServerError.from(error).message}`)
      return undefined
    }
  }

  #warn({ model, policy, serving }: Split): void {
    const absent = [...policy.weights.keys()].filter(
      (version) => !serving.some((one) => one.version === version),
    )
    if (absent.length === 0) return
    this.#options.log.warning(
      `model '${model}': version ${absent.join(', ')} of its traffic policy does not serve and gets nothing`,
    )
  }
}

function versionsOf(serving: readonly ServedModel[], policy: TrafficPolicy): TrafficVersion[] {
  const numbers = new Set([...serving.map(({ version }) => version), ...policy.weights.keys()])
  return [...numbers]
    .sort((a, b) => a - b)
    .map((version) => ({
      version,
      weight: policy.weights.get(version) ?? 0,
      ready: serving.find((one) => one.version === version)?.ready ?? false,
    }))
}
