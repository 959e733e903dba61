import { badModel } from './bad-model.ts'
import type { Link, LinkName, TreeTask } from './types.ts'

const TASKS: readonly TreeTask[] = ['binary', 'regression', 'multiclass', 'ranking', 'isolation']

const LINKS: Readonly<Record<string, LinkName>> = {
  identity: 'identity',
  identity_multiclass: 'identity',
  sigmoid: 'sigmoid',
  softmax: 'softmax',
  multiclass_ova: 'ova',
  exponential: 'exponential',
  exponential_standard_ratio: 'standard_ratio',
  hinge: 'hinge',
  logarithm_one_plus_exp: 'log1p_exp',
  signed_square: 'signed_square',
}

export function treeliteTask(code: number): TreeTask {
  const task = TASKS[code]
  if (task === undefined) throw badModel(`a task of number ${code}`)
  return task
}

/** The postprocessor of that name. */
export function treeliteLink(
  name: string,
  { alpha, ratio }: { readonly alpha: number; readonly ratio: number },
): Link {
  const link = Object.hasOwn(LINKS, name) ? LINKS[name] : undefined
  if (link === undefined) throw badModel(`unknown postprocessor '${name.slice(0, 100)}'`)
  if (link === 'sigmoid' || link === 'ova') return { name: link, scale: alpha }
  return { name: link, scale: link === 'standard_ratio' ? ratio : 1 }
}
