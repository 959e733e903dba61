import { inferBackend } from '../config/infer-backend.ts'
import { normalizeConfig } from '../config/normalize.ts'
import type { Places } from '../config/place.ts'
import type { ModelConfig } from '../config/types.ts'
import { isEnsemble } from '../ensemble/load-ensemble.ts'
import { messageOf } from '../errors.ts'
import { CONFIG_FILE } from '../repository/layout.ts'
import type { ModelFiles } from '../repository/snapshot.ts'
import { chooseVersions } from '../repository/versions.ts'
import { configFile, reportRules } from './config-file.ts'
import { checkFiles } from './model-files.ts'
import { openVersion } from './open-version.ts'
import type { CheckedModel, CheckOptions, Report } from './types.ts'
import { reportUnused } from './unused-fields.ts'

/** Checks one model by itself. What cannot be looked at because of something else that is wrong is left out. */
export async function checkModel(check: {
  readonly files: ModelFiles
  readonly report: Report
  readonly options: CheckOptions
}): Promise<CheckedModel> {
  const { files, report, options } = check
  const { name } = files
  for (const line of files.skipped) {
    report('warning', line, { hint: 'versions are folders called 1, 2, 3, …' })
  }
  const places: Places = new Map()
  const given = await configFile({ files, places, report, options })
  const none: CheckedModel = { name, config: {}, complete: false, versions: [], ensemble: false }
  if (given === undefined) return none
  const config = named(given, await filesOfVersions(files, options), check)
  if (config === undefined) return none
  reportUnused(config, places, files, report)
  const versions = servedVersions(files, config, report)
  const modelName = name
  const file = files.configPath ?? CONFIG_FILE
  const partial = normalizeConfig(config, { modelName })
  const rules = { modelName, places, file, report }
  if (isEnsemble(config)) {
    reportRules(partial, { ...rules, complete: true })
    await checkFiles({ files, config: partial, version: versions.at(-1) ?? 1, report, options })
    return { name, config: partial, complete: true, versions, ensemble: true }
  }
  if (!reportRules(partial, { ...rules, complete: false })) return { ...none, config, versions }
  let finished: ModelConfig | undefined
  for (const version of versions) {
    const opened = await openVersion({ ...check, config, version, rules })
    finished = opened ?? finished
  }
  if (finished === undefined) return { ...none, config: partial, versions }
  await checkFiles({ files, config: finished, version: versions.at(-1) ?? 1, report, options })
  return { name, config: finished, complete: true, versions, ensemble: false }
}

/** With its backend, platform and file; undefined where they cannot be told. */
function named(
  config: ModelConfig,
  files: readonly string[],
  { files: { name }, report }: Parameters<typeof checkModel>[0],
): ModelConfig | undefined {
  try {
    return inferBackend({ config, modelName: name, files })
  } catch (error) {
    const hint =
      files.length === 0
        ? 'put the model into a folder 1'
        : `there is ${files.slice(0, 5).join(', ')}: name a backend in config.pbtxt, or give the file the name that its kind has (model.onnx)`
    report('error', messageOf(error), { hint })
    return undefined
  }
}

async function filesOfVersions(files: ModelFiles, { signal }: CheckOptions): Promise<string[]> {
  const lowest = [...files.versions.keys()].sort((a, b) => a - b)[0]
  if (lowest === undefined) return []
  const folder = `${files.path}/${lowest}`
  const entries = await files.view.list(folder, signal)
  return entries.map(({ path }) => path.slice(folder.length + 1)).sort()
}

function servedVersions(files: ModelFiles, config: ModelConfig, report: Report): readonly number[] {
  const { versions, missing } = chooseVersions(config.version_policy, files.versions.keys())
  const file = files.configPath ?? ''
  for (const version of missing) {
    report('error', `version_policy names version ${version}, which has no folder`, { file })
  }
  if (versions.length === 0 && missing.length === 0) {
    const message =
      files.versions.size === 0
        ? 'it has no version: no folder called 1, 2, 3, …'
        : 'its version_policy serves none of its versions'
    const hint =
      files.versions.size === 0 ? 'make a folder 1, also where a model needs no file' : ''
    report('error', message, { hint })
  }
  return versions
}
