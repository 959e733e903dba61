import { FRAMEWORKS } from '../infer-backend.ts'
import type { Rule } from './rule.ts'

export const nameIsGiven: Rule = ({ config, fail }) => {
  if (!config.name) throw fail('name', "model configuration must specify 'name'")
}

export const backendIsGiven: Rule = ({ config, name, fail }) => {
  const ensemble = config.platform === 'ensemble'
  if (!config.backend && !ensemble) {
    throw fail('platform', `unexpected platform type '${config.platform ?? ''}' for ${name}`)
  }
  if (config.backend && ensemble) {
    throw fail(
      'backend',
      `Ensemble model '${name}' must have platform type '${config.platform}' and empty backend type`,
    )
  }
}

/** A known backend runs only its own platforms; an unknown one whatever it likes. */
export const platformFitsBackend: Rule = ({ config, fail }) => {
  const platform = config.platform ?? ''
  const known = FRAMEWORKS.filter((framework) => framework.backend === config.backend)
  const platforms = known.flatMap((framework) => framework.platforms)
  // Triton fills `libtorch` in as a backend but does not pair it as a platform.
  if (platforms.length === 0 || (platforms.includes(platform) && platform !== 'libtorch')) return
  throw fail(
    'platform',
    `unexpected 'platform' and 'backend' pair, got:${platform}, ${config.backend}`,
  )
}

export const batchSizeIsNotNegative: Rule = ({ config, name, fail }) => {
  if ((config.max_batch_size ?? 0) < 0) {
    throw fail('max_batch_size', `'max_batch_size' must be non-negative value for ${name}`)
  }
}

export const versionPolicyIsGiven: Rule = ({ config, name, fail }) => {
  if (config.version_policy === undefined) {
    throw fail('version_policy', `must specify 'version policy' for ${name}`)
  }
}

export const cacheFitsModel: Rule = ({ config, name, fail }) => {
  if (!config.response_cache?.enable) return
  if (config.sequence_batching !== undefined) {
    throw fail(
      'response_cache',
      `Response Cache does not currently support model ${name} with sequence batching scheduler. Please disable the response cache.`,
    )
  }
  if (config.model_transaction_policy?.decoupled) {
    throw fail(
      'response_cache',
      `Response Cache does not currently support model ${name} with 'decoupled' transaction policy. Please disable the response cache.`,
    )
  }
}

export const directoryMatchesName = (directory: string): Rule => {
  return ({ config, name, fail }) => {
    if (config.name === directory) return
    throw fail(
      'name',
      `unexpected directory name '${directory}' for model '${name}', directory name must equal model name`,
    )
  }
}
