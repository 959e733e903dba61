import { badModel } from './bad-model.ts'
import type { Link, TreeTask } from './types.ts'

interface Meaning {
  readonly task: TreeTask
  readonly link: Link
}

const IDENTITY: Link = { name: 'identity', scale: 1 }
const EXPONENTIAL: Link = { name: 'exponential', scale: 1 }

/** What LightGBM's `objective` line, a name and its parameters, means for a prediction of `columns` outputs. */
export function lightgbmObjective(line: string, columns: number): Meaning {
  const [name = '', ...parameters] = line.trim().split(/\s+/)
  const classes: TreeTask = columns > 1 ? 'multiclass' : 'regression'
  switch (name) {
    case 'binary':
      return { task: 'binary', link: { name: 'sigmoid', scale: sigmoid(parameters) } }
    case 'cross_entropy':
    case 'xentropy':
      return { task: 'binary', link: { name: 'sigmoid', scale: 1 } }
    case 'cross_entropy_lambda':
    case 'xentlambda':
      return { task: 'binary', link: { name: 'log1p_exp', scale: 1 } }
    case 'multiclass':
    case 'softmax':
      return { task: 'multiclass', link: { name: 'softmax', scale: 1 } }
    case 'multiclassova':
    case 'multiclass_ova':
    case 'ova':
    case 'ovr':
      return { task: 'multiclass', link: { name: 'ova', scale: sigmoid(parameters) } }
    case 'poisson':
    case 'gamma':
    case 'tweedie':
      return { task: 'regression', link: EXPONENTIAL }
    case 'lambdarank':
    case 'rank_xendcg':
      return { task: 'ranking', link: IDENTITY }
    case 'regression':
    case 'regression_l1':
    case 'huber':
    case 'fair':
    case 'quantile':
    case 'mape': {
      const squared = parameters.includes('sqrt')
      return { task: 'regression', link: squared ? { name: 'signed_square', scale: 1 } : IDENTITY }
    }
    case 'custom':
    case 'none':
    case '':
      return { task: classes, link: IDENTITY }
    default:
      throw badModel(`unknown LightGBM objective '${name.slice(0, 100)}'`)
  }
}

function sigmoid(parameters: readonly string[]): number {
  const text = parameters.find((one) => one.startsWith('sigmoid:'))?.slice('sigmoid:'.length)
  const scale = Number(text ?? 1)
  if (!(scale > 0 && Number.isFinite(scale))) throw badModel(`a sigmoid of '${text}'`)
  return scale
}
