import { didYouMean } from '../config/nearest.ts'
import { checkEnsemble } from '../ensemble/check.ts'
import { messageOf } from '../errors.ts'
import { composingModels, Dependencies } from '../repository/dependencies.ts'
import type { CheckedModel, Report } from './types.ts'

/** Checks ensembles against the models that they are made of. */
export function checkEnsembles(check: {
  readonly checked: ReadonlyMap<string, CheckedModel>
  /** Models with errors of their own. */
  readonly failed: ReadonlySet<string>
  readonly reportFor: (model: string) => Report
}): void {
  const { checked, failed, reportFor } = check
  const ensembles = [...checked.values()].filter(({ ensemble }) => ensemble)
  const dependencies = new Dependencies()
  for (const { name, config } of ensembles) dependencies.set(name, composingModels(config))
  for (const { name, config } of ensembles) {
    const report = reportFor(name)
    const circle = dependencies.circle(name)
    if (circle !== undefined) {
      report(
        'error',
        `circular dependency between ensembles: ${name} -> ... -> ${circle} -> ${name}`,
      )
    }
    let whole = circle === undefined
    for (const model of composingModels(config)) {
      const problem = stepProblem(config, model, checked)
      if (problem !== '') report('error', problem)
      else if (failed.has(model)) {
        report(
          'warning',
          `what is wrong with its step's model '${model}' keeps it from being served`,
        )
      } else if (checked.get(model)?.complete !== true) {
        report('warning', `whether its step's model '${model}' fits is not known`)
      } else continue
      whole = false
    }
    if (!whole || failed.has(name)) continue
    try {
      checkEnsemble({ config, composing: (model) => checked.get(model)?.config ?? {} })
    } catch (error) {
      report('error', messageOf(error))
    }
  }
}

/** '' = there is such a model, in the version that a step asks for. */
function stepProblem(
  config: CheckedModel['config'],
  name: string,
  checked: ReadonlyMap<string, CheckedModel>,
): string {
  const model = checked.get(name)
  if (model === undefined) {
    return `its step's model '${name}' is in no repository${didYouMean(name, [...checked.keys()])}`
  }
  for (const { model_name, model_version: version = -1 } of config.ensemble_scheduling?.step ??
    []) {
    if (model_name !== name || version === -1 || model.versions.includes(version)) continue
    return `a step asks for version ${version} of model '${name}', which would serve ${model.versions.join(', ') || 'none'}`
  }
  return ''
}
