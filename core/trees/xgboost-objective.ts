import { badModel } from './bad-model.ts'
import type { LinkName, TreeTask } from './types.ts'

/** What an objective means for a prediction. */
export interface Objective {
  readonly task: TreeTask
  readonly link: LinkName
  /** How the base score in the file becomes a margin. */
  readonly base: 'identity' | 'logit' | 'log'
}

const objective = (
  task: TreeTask,
  link: LinkName = 'identity',
  base: Objective['base'] = 'identity',
): Objective => ({ task, link, base })

const REGRESSION = objective('regression')
const RATE = objective('regression', 'exponential', 'log')
const RANKING = objective('ranking')
const CLASSES = objective('multiclass', 'softmax')

const OBJECTIVES: Readonly<Record<string, Objective>> = {
  'reg:squarederror': REGRESSION,
  'reg:linear': REGRESSION,
  'reg:squaredlogerror': REGRESSION,
  'reg:pseudohubererror': REGRESSION,
  'reg:absoluteerror': REGRESSION,
  'reg:quantileerror': REGRESSION,
  'reg:expectileerror': REGRESSION,
  'reg:logistic': objective('regression', 'sigmoid', 'logit'),
  'reg:gamma': RATE,
  'reg:tweedie': RATE,
  'count:poisson': RATE,
  'survival:cox': RATE,
  'survival:aft': RATE,
  'binary:logistic': objective('binary', 'sigmoid', 'logit'),
  'binary:logitraw': objective('binary'),
  'binary:hinge': objective('binary', 'hinge'),
  'multi:softmax': CLASSES,
  'multi:softprob': CLASSES,
  'rank:pairwise': RANKING,
  'rank:ndcg': RANKING,
  'rank:map': RANKING,
}

/** Throws where the name is none that XGBoost has. */
export function xgboostObjective(name: string): Objective {
  const found = Object.hasOwn(OBJECTIVES, name) ? OBJECTIVES[name] : undefined
  if (found === undefined) throw badModel(`unknown XGBoost objective '${name.slice(0, 100)}'`)
  return found
}

/** `score` as a margin, in FP32 as XGBoost computes it. */
export function baseMargin({ base }: Objective, score: number): number {
  const near = Math.fround(score)
  if (base === 'identity') return near
  if (base === 'log') return Math.fround(Math.log(near))
  return Math.fround(-Math.log(Math.fround(Math.fround(1 / near) - 1)))
}
