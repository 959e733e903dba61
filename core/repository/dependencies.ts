import { normalizeConfig } from '../config/normalize.ts'
import type { ModelConfig } from '../config/types.ts'
import { checkEnsemble } from '../ensemble/check.ts'
import { isEnsemble } from '../ensemble/load-ensemble.ts'
import { ServerError } from '../errors.ts'
import type { ModelRecord } from './lifecycle.ts'

/** Names of the models an ensemble is made of, each once, in the order of its steps; none for other models. */
export function composingModels(config: ModelConfig): readonly string[] {
  if (!isEnsemble(config)) return []
  const steps = config.ensemble_scheduling?.step ?? []
  return [...new Set(steps.map((step) => step.model_name ?? ''))]
}

/** Which ensembles are made of which models, by name. */
export class Dependencies {
  readonly #composing = new Map<string, readonly string[]>()
  readonly #dependents = new Map<string, Set<string>>()

  /** `models` is what `name` is made of from now on. */
  set(name: string, models: readonly string[]): void {
    for (const model of this.of(name)) {
      const dependents = this.#dependents.get(model)
      dependents?.delete(name)
      if (dependents?.size === 0) this.#dependents.delete(model)
    }
    this.#composing.delete(name)
    if (models.length === 0) return
    this.#composing.set(name, models)
    for (const model of models) {
      const dependents = this.#dependents.get(model)
      if (dependents === undefined) this.#dependents.set(model, new Set([name]))
      else dependents.add(name)
    }
  }

  of(name: string): readonly string[] {
    return this.#composing.get(name) ?? []
  }

  /** Ensembles that `name` is a step of. */
  dependents(name: string): readonly string[] {
    return [...(this.#dependents.get(name) ?? [])]
  }

  /** The ensemble through which `name` is made of itself; undefined where it is not. */
  circle(name: string): string | undefined {
    const seen = new Set<string>()
    const open = [name]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const model of this.of(next)) {
        if (model === name) return next
        if (seen.has(model)) continue
        seen.add(model)
        open.push(model)
      }
    }
    return undefined
  }
}

interface DependencyCheck {
  readonly name: string
  readonly config: ModelConfig
  readonly dependencies: Dependencies
  readonly records: ReadonlyMap<string, ModelRecord>
}

/**
 * Checks that an ensemble with `config` can run on the models that serve now; returns whether it is decoupled. Throws
 * INVALID_ARG in Triton's words.
 */
export function checkDependencies(check: DependencyCheck): boolean {
  const problem = dependencyProblem(check)
  if (problem !== undefined) throw new ServerError('INVALID_ARG', problem)
  return checkEnsemble({
    config: normalizeConfig(check.config, { modelName: check.name }),
    composing: (model) => check.records.get(model)?.serving().at(-1)?.config ?? {},
  })
}

function dependencyProblem(check: DependencyCheck): string | undefined {
  const { name, config, dependencies, records } = check
  const circle = dependencies.circle(name)
  if (circle !== undefined) {
    return `circular dependency between ensembles: ${name} -> ... -> ${circle} -> ${name}`
  }
  for (const model of composingModels(config)) {
    if (records.get(model)?.plan === undefined) {
      return `ensemble ${name} contains models that are not available or ambiguous: ${model}`
    }
  }
  for (const model of composingModels(config)) {
    const problem = stepProblem(records.get(model) as ModelRecord, config)
    if (problem !== undefined) return `ensemble '${name}' depends on '${model}' ${problem}`
  }
  return undefined
}

function stepProblem(record: ModelRecord, config: ModelConfig): string | undefined {
  const { name } = record
  const serving = record.serving()
  if (serving.length === 0) {
    if (record.invalid !== '') {
      return `which is not valid. Model '${name}' failed with error: ${record.invalid}`
    }
    if (record.failure === '') return 'which has no loaded version.'
    return `which has no loaded version. Model '${name}' loading failed with error: ${record.failure}`
  }
  for (const step of config.ensemble_scheduling?.step ?? []) {
    const version = step.model_version ?? 0
    if (step.model_name !== name || version === -1) continue
    if (serving.some((model) => model.version === version)) continue
    return `whose required version ${version} is not loaded.`
  }
  return undefined
}
