import { badModel } from './bad-model.ts'
import { readLightgbm } from './lightgbm.ts'
import { readTreelite } from './treelite.ts'
import type { Forest } from './types.ts'
import { readXgboost } from './xgboost.ts'

/** Formats of model files, as FIL's `model_type` names them. */
export type ForestFormat =
  | 'xgboost'
  | 'xgboost_json'
  | 'xgboost_ubj'
  | 'lightgbm'
  | 'treelite_checkpoint'

/** What each format's file is called unless the config says otherwise. */
export const FOREST_FILES: Readonly<Record<ForestFormat, string>> = {
  xgboost: 'xgboost.model',
  xgboost_json: 'xgboost.json',
  xgboost_ubj: 'xgboost.ubj',
  lightgbm: 'model.txt',
  treelite_checkpoint: 'checkpoint.tl',
}

const READERS: Readonly<Record<ForestFormat, (bytes: Uint8Array) => Forest>> = {
  // XGBoost's own formats tell themselves apart.
  xgboost: readXgboost,
  xgboost_json: readXgboost,
  xgboost_ubj: readXgboost,
  lightgbm: readLightgbm,
  treelite_checkpoint: readTreelite,
}

export function isForestFormat(name: string): name is ForestFormat {
  return Object.hasOwn(READERS, name)
}

/** Reads a model file. Throws ServerError where it is none of that format, or has something that cannot be evaluated. */
export function readForest(format: ForestFormat, bytes: Uint8Array): Forest {
  try {
    return READERS[format](bytes)
  } catch (error) {
    // A file can ask for more memory or more text than there can be.
    if (error instanceof RangeError) throw badModel(`too large: ${error.message}`)
    throw error
  }
}
