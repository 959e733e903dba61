import type { InstanceGroup, ModelConfig } from './types.ts'

/**
 * Instance groups as Triton fills them: one group named after the model where none is listed, listed ones without a
 * name are `<model>_<position>`; KIND_AUTO becomes KIND_GPU where every GPU it names is there, else KIND_CPU; a GPU
 * group without a list takes all GPUs; a count below 1 becomes 1, or `defaultCpuInstances` for CPU groups.
 */
export function normalizeInstanceGroups(
  config: ModelConfig,
  backend: { readonly defaultCpuInstances?: number; readonly gpus?: readonly number[] },
): InstanceGroup[] {
  const gpus = backend.gpus ?? []
  const model = config.name ?? ''
  const listed = config.instance_group ?? []
  const groups = listed.length > 0 ? listed : [{ name: model }]
  return groups.map((group, position) => {
    const kind = resolveKind(group, gpus)
    const fallback = kind === 'KIND_CPU' ? (backend.defaultCpuInstances ?? 1) : 1
    const count = group.count ?? 0
    const takesAll = kind === 'KIND_GPU' && !group.gpus?.length && gpus.length > 0
    return {
      ...group,
      name: group.name || `${model}_${position}`,
      kind,
      count: count < 1 ? fallback : count,
      ...(takesAll ? { gpus: [...gpus] } : {}),
    }
  })
}

function resolveKind(
  group: InstanceGroup,
  gpus: readonly number[],
): InstanceGroup['kind'] & string {
  const kind = group.kind ?? 'KIND_AUTO'
  if (kind !== 'KIND_AUTO') return kind
  const present = gpus.length > 0 && (group.gpus ?? []).every((gpu) => gpus.includes(gpu))
  return present ? 'KIND_GPU' : 'KIND_CPU'
}
