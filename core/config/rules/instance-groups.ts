import type { InstanceGroup } from '../types.ts'
import { groupsOf, type Rule } from './rule.ts'

/** Instances one model may ask for, all its groups and devices together. */
export const MAX_INSTANCES: number = 1024

export const groupsAreGiven: Rule = ({ config, name, fail }) => {
  if (config.ensemble_scheduling !== undefined || groupsOf(config).length > 0) return
  throw fail('instance_group', `must specify one or more 'instance group's for ${name}`)
}

export const groupDevicesFit: Rule = ({ config, name, gpus, fail }) => {
  if (config.ensemble_scheduling !== undefined) return
  for (const [i, group] of groupsOf(config).entries()) {
    const problem = deviceProblem(group, gpus)
    if (problem !== undefined) {
      throw fail(`instance_group[${i}]`, `instance group ${group.name} of model ${name} ${problem}`)
    }
  }
}

function deviceProblem(
  group: InstanceGroup,
  gpus: readonly number[] | undefined,
): string | undefined {
  const listed = group.gpus ?? []
  if (group.kind === 'KIND_MODEL' || group.kind === 'KIND_CPU') {
    return listed.length > 0 ? `has kind ${group.kind} but specifies one or more GPUs` : undefined
  }
  if (group.kind !== 'KIND_GPU') return 'has unexpected kind KIND_AUTO'
  if (gpus === undefined) return undefined
  if (listed.length === 0) {
    return gpus.length === 0
      ? 'has kind KIND_GPU but no GPUs are available'
      : 'has kind KIND_GPU but specifies no GPUs'
  }
  const missing = listed.find((gpu) => !gpus.includes(gpu))
  if (missing === undefined) return undefined
  return `specifies invalid or unsupported gpu id ${missing}. GPUs with at least the minimum required CUDA compute compatibility of 6.000000 are: ${gpus.join(', ')}`
}

export const groupProfilesFit: Rule = ({ config, name, fail }) => {
  for (const [i, group] of groupsOf(config).entries()) {
    const profiles = group.profile ?? []
    const subject = `instance group ${group.name} of model ${name} and platform ${config.platform ?? ''}`
    // Triton's text lacks the space after the platform.
    if (profiles.length > 0 && config.platform !== 'tensorrt_plan') {
      throw fail(
        `instance_group[${i}].profile`,
        `${subject}specifies profile field which is only supported for TensorRT models`,
      )
    }
    const bad = profiles.find((profile) => !/^[0-9]+$/.test(profile))
    if (bad !== undefined) {
      throw fail(
        `instance_group[${i}].profile`,
        `${subject} specifies invalid profile ${bad}. The field should contain the string representation of a non-negative integer.`,
      )
    }
  }
}

export const instancesAreLimited: Rule = ({ config, name, fail }) => {
  const asked = groupsOf(config).reduce((sum, group) => {
    return sum + (group.count ?? 1) * Math.max(1, group.gpus?.length ?? 0)
  }, 0)
  if (asked <= MAX_INSTANCES) return
  throw fail(
    'instance_group',
    `instance groups of model ${name} ask for ${asked} instances, the limit is ${MAX_INSTANCES}`,
  )
}
