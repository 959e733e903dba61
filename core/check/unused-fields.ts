import { nearestPlace, type Places } from '../config/place.ts'
import type { ModelConfig } from '../config/types.ts'
import type { ModelFiles } from '../repository/snapshot.ts'
import type { Report } from './types.ts'

/** Fields that are accepted because Triton has them, and change nothing here. */
const WITHOUT_EFFECT: readonly (readonly [path: string, why: string])[] = [
  ['optimization.priority', 'all models have the same priority'],
  ['optimization.cuda', 'CUDA graphs and streams are left to the runtime'],
  ['optimization.input_pinned_memory', 'there is no pool of pinned memory'],
  ['optimization.output_pinned_memory', 'there is no pool of pinned memory'],
  ['optimization.gather_kernel_buffer_threshold', 'requests are joined in memory'],
  ['optimization.eager_batching', 'requests are joined in memory'],
  [
    'model_repository_agents',
    'no repository agents are run, so that what they check is not checked',
  ],
  ['cc_model_filenames', 'the same file is used on every device'],
]

/** Warns of what a config asks for in vain. */
export function reportUnused(
  config: ModelConfig,
  places: Places,
  files: ModelFiles,
  report: Report,
): void {
  const warn = (path: string, why: string): void => {
    const { line = 0, column = 0 } = nearestPlace(places, path) ?? {}
    const file = files.configPath ?? ''
    report('warning', `${path} has no effect: ${why}`, { file, line, column })
  }
  for (const [path, why] of WITHOUT_EFFECT) if (valueAt(config, path) !== undefined) warn(path, why)
  for (const [i, group] of (config.instance_group ?? []).entries()) {
    if (group.host_policy) warn(`instance_group[${i}].host_policy`, 'there are no host policies')
    if (group.secondary_devices?.length) {
      warn(`instance_group[${i}].secondary_devices`, 'there are no secondary devices')
    }
  }
}

function valueAt(config: ModelConfig, path: string): unknown {
  let value: unknown = config
  for (const key of path.split('.')) {
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[key]
  }
  return value
}
