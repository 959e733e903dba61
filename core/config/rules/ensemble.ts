import { ensembleProblem } from './ensemble-flow.ts'
import type { Rule } from './rule.ts'

/** What an ensemble may and must say besides its steps. */
export const ensembleFieldsFit: Rule = ({ config, name, fail }) => {
  const scheduling = config.ensemble_scheduling
  if (scheduling === undefined) {
    if (config.platform !== 'ensemble') return
    throw fail(
      'platform',
      `ensemble scheduling must be set for ensemble ${name} whose platform is ensemble`,
    )
  }
  if (config.platform !== 'ensemble') {
    throw fail(
      'ensemble_scheduling',
      `ensemble scheduling cannot be set for model '${name}' whose platform is not ensemble`,
    )
  }
  if (config.instance_group?.length) {
    throw fail('instance_group', `instance group should not be specified for ensemble '${name}'`)
  }
  if (config.optimization !== undefined) {
    throw fail('optimization', `optimization should not be specified for ensemble '${name}'`)
  }
  if (config.model_warmup?.length) {
    throw fail('model_warmup', `model_warmup can not be specified for ensemble '${name}'`)
  }
}

/** Every tensor of an ensemble is written once and used, and its outputs can be reached. */
export const ensembleStepsFit: Rule = ({ config, name, fail }) => {
  if (config.ensemble_scheduling === undefined) return
  const problem = ensembleProblem(config, name)
  if (problem !== undefined) throw fail('ensemble_scheduling', problem)
}
