import { badModel } from './bad-model.ts'
import {
  type Fields,
  fieldsAt,
  isFields,
  listAt,
  needNumbers,
  numbersAt,
  textAt,
  wholeAt,
} from './document.ts'
import { ForestBuilder, type ForestShape, MAX_FOREST_OUTPUTS } from './forest-builder.ts'
import type { Forest } from './types.ts'
import { parseUbjson } from './ubjson.ts'
import { baseMargin, type Objective, xgboostObjective } from './xgboost-objective.ts'
import { XgboostTree } from './xgboost-tree.ts'

const OPEN_BRACE = 0x7b
/** UBJSON: the first key's length, of one byte or of eight. */
const LENGTH_MARKERS: readonly number[] = [0x69, 0x55, 0x49, 0x6c, 0x4c, 0x23, 0x24]

/** Reads a model that XGBoost saved as JSON or UBJSON, whichever it is. */
export function readXgboost(bytes: Uint8Array): Forest {
  const second = bytes[1] ?? 0
  if (bytes[0] === OPEN_BRACE) {
    return forestOf(LENGTH_MARKERS.includes(second) ? parseUbjson(bytes) : parseJson(bytes))
  }
  const text = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart()
  if (text.startsWith('{')) return forestOf(parseJson(bytes))
  throw badModel(
    "neither JSON nor UBJSON; models in XGBoost's old binary format are converted with Booster().load_model(old) and save_model('xgboost.ubj')",
  )
}

function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badModel(`no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function forestOf(document: unknown): Forest {
  if (!isFields(document)) throw badModel('no XGBoost model: not an object')
  const root =
    'Model' in document && !('learner' in document) ? fieldsAt(document, 'Model') : document
  const learner = fieldsAt(root, 'learner')
  const booster = fieldsAt(learner, 'gradient_booster')
  const kind = textAt(booster, 'name') ?? 'gbtree'
  if (kind !== 'gbtree' && kind !== 'dart') {
    throw badModel(`a '${kind}' booster has no trees`)
  }
  const weights = kind === 'dart' ? numbersAt(booster, 'weight_drop') : null
  const model = fieldsAt(kind === 'dart' ? fieldsAt(booster, 'gbtree') : booster, 'model')
  const sources = listAt(model, 'trees')
  const columns = needNumbers(model, 'tree_info', sources.length)
  if (weights !== null && weights.length !== sources.length) {
    throw badModel(`${weights.length} weights for ${sources.length} trees`)
  }
  const builder = new ForestBuilder(shapeOf(root, learner))
  for (let i = 0; i < sources.length; i++) {
    const fields = sources[i]
    if (!isFields(fields)) throw badModel(`tree ${i} is no object`)
    const tree = new XgboostTree(fields, weights === null ? 1 : Math.fround(weights[i] as number))
    builder.add(tree, tree.vectorSize > 1 ? -1 : (columns[i] as number))
  }
  return builder.build()
}

function shapeOf(root: Fields, learner: Fields): ForestShape {
  const param = fieldsAt(learner, 'learner_model_param')
  const objective = xgboostObjective(textAt(fieldsAt(learner, 'objective'), 'name') ?? '')
  const classes = wholeAt(param, 'num_class', 0)
  const targets = Math.max(1, wholeAt(param, 'num_target', 1))
  const outputs = Math.max(1, classes) * targets
  return {
    task: objective.task,
    features: wholeAt(param, 'num_feature'),
    outputs,
    link: { name: objective.link, scale: 1 },
    base: baseScores(textAt(param, 'base_score') ?? '0.5', { objective, outputs, root }),
    baseFirst: true,
    single: true,
    average: false,
  }
}

interface BaseContext {
  readonly objective: Objective
  readonly outputs: number
  readonly root: Fields
}

/** One score for all outputs, or from XGBoost 3.1 on a list. */
function baseScores(text: string, { objective, outputs, root }: BaseContext): number[] {
  const scores = text
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map(Number)
  if (scores.some(Number.isNaN)) throw badModel(`base_score '${text.slice(0, 100)}'`)
  const major = numbersAt(root, 'version')?.[0] ?? 1
  // Before 1.0 the file had the margin itself.
  const margins = scores.map((score) => (major >= 1 ? baseMargin(objective, score) : score))
  if (margins.length !== 1) return margins
  if (outputs > MAX_FOREST_OUTPUTS) throw badModel(`${outputs} outputs`)
  return new Array<number>(outputs).fill(margins[0] as number)
}
