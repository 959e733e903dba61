import type { Backend, BackendModel, ModelSource } from '../backend/types.ts'
import { mismatches } from '../config/check-io.ts'
import { FRAMEWORKS } from '../config/infer-backend.ts'
import { didYouMean } from '../config/nearest.ts'
import { normalizeConfig } from '../config/normalize.ts'
import type { ModelConfig } from '../config/types.ts'
import { messageOf } from '../errors.ts'
import { completedConfig } from '../model/finish-config.ts'
import { planInstances } from '../model/instance-group.ts'
import type { Log } from '../platform.ts'
import { settingsOf } from '../repository/backend-settings.ts'
import { findBackend, noBackend } from '../repository/find-backend.ts'
import type { ModelFiles } from '../repository/snapshot.ts'
import { reportRules } from './config-file.ts'
import type { CheckOptions, Report } from './types.ts'

export interface VersionCheck {
  readonly files: ModelFiles
  readonly version: number
  /** With its backend. */
  readonly config: ModelConfig
  readonly report: Report
  readonly options: CheckOptions
  readonly rules: Omit<Parameters<typeof reportRules>[1], 'complete' | 'gpus'>
}

/**
 * Holds the config of a version against what the version says of itself, which is opened for it where that is allowed. Gives
 * the config that is served, where there is one.
 */
export async function openVersion(check: VersionCheck): Promise<ModelConfig | undefined> {
  const { files, version, config, options, report } = check
  const { view: store, path: modelPath, name: modelName } = files
  const versionPath = `${modelPath}/${version}`
  const name = config.backend ?? ''
  const query = { backend: name, store, modelPath, versionPath, signal: options.signal }
  const own = options.backends.get(name)
  const missing = (error: unknown): undefined => {
    const hint = didYouMean(name, [...options.backends.keys()]).replace(/^; /, '')
    report('error', messageOf(error), { hint })
  }
  if (own === undefined && !options.mayOpen(name)) {
    const { path, looked } = (await options.finder?.locate(query)) ?? { looked: [] }
    if (path === undefined) return missing(noBackend(name, options.backends, looked))
    return untold(check, normalizeConfig(config, { modelName }))
  }
  const backend = await findBackend(query, options).catch(missing)
  if (backend === undefined || !(await hasFile(check, backend, versionPath))) return undefined
  if (options.mayOpen(name)) return opened(check, backend, versionPath)
  return untold(check, normalizeConfig(config, { modelName, backend }), backend)
}

/** The config of a version whose code is not run. */
function untold(
  check: VersionCheck,
  config: ModelConfig,
  backend?: Backend,
): ModelConfig | undefined {
  if (tellsTensors(config)) return judged(check, config, backend)
  check.report('warning', 'what it takes and gives is only known when its code runs', {
    version: check.version,
    hint: 'check with --load, or write input and output into config.pbtxt',
  })
  return undefined
}

async function opened(
  check: VersionCheck,
  backend: Backend,
  versionPath: string,
): Promise<ModelConfig | undefined> {
  const { files, version, config, options, report } = check
  const { view: store, path: modelPath, name } = files
  const { autoComplete, backendConfig, signal } = options
  let model: BackendModel | undefined
  let release: (() => void) | undefined
  try {
    release = await store.localise?.(versionPath, signal)
    const settings = settingsOf(backend.name, backendConfig)
    const log = reportingLog(report, version)
    const place = { store, modelPath, versionPath }
    const source: ModelSource = { name, version, config, settings, ...place, log }
    model = await backend.load(source, signal)
    const completed = completedConfig({ source, backend, backendModel: model, autoComplete })
    const complete = normalizeConfig(completed, { modelName: name, backend })
    if (!tellsTensors(complete)) {
      report('error', 'neither its config nor the model itself says what it takes and gives', {
        version,
        hint: 'write input and output into config.pbtxt',
      })
      return undefined
    }
    for (const message of model.io === undefined ? [] : mismatches(complete, model.io, name)) {
      report('error', message, { version, file: files.configPath ?? '' })
    }
    return judged(check, complete, backend)
  } catch (error) {
    signal?.throwIfAborted()
    report('error', messageOf(error), { version })
    return undefined
  } finally {
    await model?.close()
    release?.()
  }
}

/** `backend` undefined = it is not known what devices it has. */
function judged(check: VersionCheck, config: ModelConfig, backend?: Backend): ModelConfig {
  const { rules, report } = check
  const gpus = backend === undefined ? {} : { gpus: backend.gpus ?? [] }
  if (reportRules(config, { ...rules, complete: true, ...gpus }) && backend !== undefined) {
    try {
      planInstances(config, backend)
    } catch (error) {
      report('error', messageOf(error), { file: rules.file })
    }
  }
  return config
}

function tellsTensors(config: ModelConfig): boolean {
  return (config.input?.length ?? 0) > 0 || (config.output?.length ?? 0) > 0
}

/** Whether the file is there by which the backend opens the model. Where it is not, that is reported. */
async function hasFile(
  { files: { view }, config, version, report, options }: VersionCheck,
  backend: Backend,
  folder: string,
): Promise<boolean> {
  const wanted = config.default_model_filename || backend.defaultModelFilename
  if (backend.defaultModelFilename === '' || wanted === '') return true
  const entries = await view.list(folder, options.signal)
  const names = entries.map(({ path }) => path.slice(folder.length + 1)).sort()
  const named = Object.values(config.cc_model_filenames ?? {})
  const kin = FRAMEWORKS.filter((known) => known.backend === backend.name).map(({ file }) => file)
  const any = [wanted, ...named, ...(kin.includes(wanted) ? kin : [])]
  if (any.some((name) => names.includes(name) || wanted.includes('/'))) return true
  const there =
    names.length === 0 ? 'the folder is empty' : `there is ${names.slice(0, 5).join(', ')}`
  report('error', `there is no file '${wanted}' in ${folder}`, {
    version,
    file: folder,
    hint:
      names.length === 0
        ? there
        : `${there}: give it that name, or name it as default_model_filename in config.pbtxt`,
  })
  return false
}

/** What a load warns of. */
function reportingLog(report: Report, version: number): Log {
  return {
    error: (message) => report('error', message, { version }),
    warning: (message) => report('warning', message, { version }),
    info: () => {},
    verbose: () => {},
  }
}
