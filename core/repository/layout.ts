import { ServerError } from '../errors.ts'
import { INITIAL_STATE_FOLDER } from '../model/initial-states.ts'
import { WARMUP_FOLDER } from '../model/warmup.ts'
import { safeJoin, safeName } from '../paths.ts'

/** The model configuration, in the model's folder. */
export const CONFIG_FILE = 'config.pbtxt'
/** Holds the configs that `--model-config-name` selects. */
export const CONFIGS_FOLDER = 'configs'

/** Folders beside the versions that are no versions and deserve no warning. */
export const RESERVED_FOLDERS: ReadonlySet<string> = new Set([
  CONFIGS_FOLDER,
  WARMUP_FOLDER,
  INITIAL_STATE_FOLDER,
])

/** Files that one load request may bring. */
export const MAX_INLINE_FILES = 1_024

const INLINE_FILE = /^[1-9][0-9]*\/[\w.-]+(\/[\w.-]+)*$/

/** Path of a model's folder. Throws INVALID_ARG for a name that cannot be one. */
export function modelPath(name: string): string {
  return safeJoin('', safeName(name, 'model name'))
}

/**
 * Checks the shape of an inline file's name (`1/model.onnx`, relative to the model's folder); that it stays there is
 * {@link safeJoin}'s part. Throws INVALID_ARG.
 */
export function checkInlineFile(file: string): void {
  if (!INLINE_FILE.test(file)) {
    throw new ServerError(
      'INVALID_ARG',
      `invalid file parameter 'file:${file.slice(0, 80)}', expected <version>/<file> within the model directory`,
    )
  }
}

/** Where a custom-named configuration lies. */
export function customConfigFile(name: string): string {
  return safeJoin(CONFIGS_FOLDER, `${safeName(name, 'model config name')}.pbtxt`)
}
