import { basename } from 'node:path'
import type { BackendFinder } from '../../../core/backend/finder.ts'
import type { Backend, ModelIo, ModelSource } from '../../../core/backend/types.ts'
import { MESSAGES } from '../../../core/config/fields.ts'
import { FRAMEWORKS, inferBackend } from '../../../core/config/infer-backend.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { isEnsemble } from '../../../core/ensemble/load-ensemble.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import { completedConfig, finishConfig } from '../../../core/model/finish-config.ts'
import type { Log, ModelStore } from '../../../core/platform.ts'
import { type BackendConfig, settingsOf } from '../../../core/repository/backend-settings.ts'
import { findBackend } from '../../../core/repository/find-backend.ts'
import { findModel, planModel } from '../../../core/repository/plan.ts'
import { chooseVersions } from '../../../core/repository/versions.ts'
import type { InspectTarget } from './inspect-target.ts'

export interface InspectOptions {
  readonly target: InspectTarget
  readonly backends: ReadonlyMap<string, Backend>
  readonly finder: BackendFinder
  readonly backendConfig: BackendConfig
  /** `--model-config-name` */
  readonly configName: string
  readonly openStore: (folder: string) => ModelStore
  readonly log: Log
}

/** What a model would be served with. */
export interface Inspection {
  /** What was looked at, as a person would call it. */
  readonly subject: string
  /** What its config.pbtxt would say. */
  readonly config: ModelConfig
  /** What the model says of itself; absent where it cannot. */
  readonly io?: ModelIo
  /** Why it would not be served with this config; '' = it would. */
  readonly problem: string
}

/** Opens a model, as a load does, for what it says of itself, and closes it again. Throws why it cannot be opened. */
export async function inspectModel(options: InspectOptions): Promise<Inspection> {
  const { target } = options
  const found = target.kind === 'file' ? fileSource(options, target) : await modelSource(options)
  const { source, subject } = found
  if (isEnsemble(source.config)) return { subject, config: source.config, problem: '' }
  const backend = await findBackend({ ...source, backend: source.config.backend ?? '' }, options)
  const full = { ...source, settings: settingsOf(backend.name, options.backendConfig) }
  const backendModel = await backend.load(full)
  try {
    const finish = { source: full, backend, backendModel, autoComplete: true }
    const { io } = backendModel
    const config = asWritten(completedConfig(finish), target)
    return { subject, config, ...(io === undefined ? {} : { io }), problem: problemOf(finish) }
  } finally {
    await backendModel.close()
  }
}

type FileTarget = Extract<InspectTarget, { kind: 'file' }>

interface Found {
  readonly subject: string
  readonly source: ModelSource
}

function fileSource({ openStore, log }: InspectOptions, target: FileTarget): Found {
  const { folder, file, config } = target
  const name = basename(file).replace(/\.[^.]*$/, '') || 'model'
  const store = openStore(folder)
  const inferred = inferBackend({ files: [file], modelName: name, config })
  const place = { store, modelPath: '', versionPath: '', settings: new Map<string, string>() }
  return { subject: file, source: { ...place, name, version: 1, config: inferred, log } }
}

async function modelSource(options: InspectOptions): Promise<Found> {
  const { target, openStore, configName, log } = options
  if (target.kind !== 'model') throw new Error('a file is no model of a repository')
  const { name } = target
  const store = openStore(target.repository)
  const plans = { stores: [store], autoComplete: true, configName, log }
  const { config, files } = await planModel(await findModel(name, plans), {}, plans)
  const { versions } = chooseVersions(config.version_policy, files.versions.keys())
  const version = versions.at(-1)
  if (version === undefined) {
    throw new ServerError('INVALID_ARG', `model '${name}' has no version that would be served`)
  }
  const { path: modelPath, view } = files
  return {
    subject: `${name}, version ${version}`,
    source: {
      name,
      version,
      config,
      settings: new Map(),
      store: view,
      modelPath,
      versionPath: `${modelPath}/${version}`,
      log,
    },
  }
}

/**
 * Without fields that say nothing, as models that build their config leave many; of a file that is in no repository yet, also
 * without what follows from the folder and the name that it has.
 */
function asWritten(config: ModelConfig, { kind }: InspectTarget): ModelConfig {
  const said = Object.fromEntries(
    Object.entries(config).filter(([field, value]) => !saysNothing(field, value)),
  ) as ModelConfig
  if (kind === 'model') return said
  const { name: _name, default_model_filename: file, ...rest } = said
  const usual = FRAMEWORKS.some((known) => known.backend === rest.backend && known.file === file)
  return usual || file === undefined ? rest : { ...rest, default_model_filename: file }
}

/** An empty message says that it is there, an empty text, list or map says nothing. */
function saysNothing(field: string, value: unknown): boolean {
  if (value === '' || (Array.isArray(value) && value.length === 0)) return true
  const map = MESSAGES['ModelConfig']?.find(({ name }) => name === field)?.label === 'map'
  return map && Object.keys(value as object).length === 0
}

function problemOf(finish: Parameters<typeof finishConfig>[0]): string {
  try {
    finishConfig(finish)
    return ''
  } catch (error) {
    return messageOf(error)
  }
}
