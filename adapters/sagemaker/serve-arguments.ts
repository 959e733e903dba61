/** What the start on SageMaker finds on this machine's disk. */
export interface ServeDisk {
  /** Names of the folders in `path`; none where there is no such folder. */
  folders(path: string): readonly string[]
  isFile(path: string): boolean
  /** How many GPUs there are. */
  gpus(): number
  /** Makes an empty folder and returns its path. */
  emptyFolder(): string
}

/** How the server is to be started, or why it cannot be. */
export type ServePlan =
  | {
      readonly kind: 'start'
      readonly argv: readonly string[]
      /** To be set before the start. */
      readonly env: Readonly<Record<string, string>>
      readonly notes: readonly string[]
    }
  | { readonly kind: 'problem'; readonly lines: readonly string[] }

type Environment = Readonly<Record<string, string | undefined>>

/** Where SageMaker unpacks the model of an endpoint that has one. */
export const MODEL_FOLDER = '/opt/ml/model'
/** SageMaker kills what is still running 30 s after it asked it to end. */
const EXIT_TIMEOUT_SECS = 25

const DEFAULT_MODEL = 'SAGEMAKER_TRITON_DEFAULT_MODEL_NAME'

/** Variables that are a flag by another name. */
const FLAGS: Readonly<Record<string, string>> = {
  SAGEMAKER_BIND_TO_PORT: 'sagemaker-port',
  SAGEMAKER_SAFE_PORT_RANGE: 'sagemaker-safe-port-range',
  SAGEMAKER_TRITON_ALLOW_GRPC: 'allow-grpc',
  SAGEMAKER_TRITON_ALLOW_METRICS: 'allow-metrics',
  SAGEMAKER_TRITON_GRPC_PORT: 'grpc-port',
  SAGEMAKER_TRITON_METRICS_PORT: 'metrics-port',
  SAGEMAKER_TRITON_BUFFER_MANAGER_THREAD_COUNT: 'buffer-manager-thread-count',
  SAGEMAKER_TRITON_THREAD_COUNT: 'sagemaker-thread-count',
  SAGEMAKER_TRITON_LOG_VERBOSE: 'log-verbose',
  SAGEMAKER_TRITON_LOG_INFO: 'log-info',
  SAGEMAKER_TRITON_LOG_WARNING: 'log-warning',
  SAGEMAKER_TRITON_LOG_ERROR: 'log-error',
}
const DEFAULTS: Environment = {
  SAGEMAKER_TRITON_ALLOW_GRPC: 'false',
  SAGEMAKER_TRITON_ALLOW_METRICS: 'false',
}
/** Settings of the Python backend. */
const PYTHON: Readonly<Record<string, string>> = {
  SAGEMAKER_TRITON_SHM_DEFAULT_BYTE_SIZE: 'shm-default-byte-size',
  SAGEMAKER_TRITON_SHM_GROWTH_BYTE_SIZE: 'shm-growth-byte-size',
}

/**
 * What Triton's `serve` makes of SageMaker's environment: the command line of the server. `SAGEMAKER_TRITON_ADDITIONAL_ARGS`
 * comes last, so that it may say otherwise. Unlike there, nothing is logged verbosely unless it is asked for.
 */
export function servePlan(
  env: Environment,
  disk: ServeDisk,
  modelFolder: string = MODEL_FOLDER,
): ServePlan {
  const many = env['SAGEMAKER_MULTI_MODEL'] === 'true'
  const pingMode = env['SAGEMAKER_TRITON_OVERRIDE_PING_MODE'] || (many ? 'live' : 'ready')
  const notes: string[] = []
  const chosen = many ? '' : chooseModel(env, disk, modelFolder, notes)
  if (typeof chosen !== 'string') return chosen
  const argv = [
    '--allow-sagemaker=true',
    '--allow-http=false',
    '--model-control-mode=explicit',
    `--exit-timeout-secs=${EXIT_TIMEOUT_SECS}`,
    `--model-repository=${many ? disk.emptyFolder() : modelFolder}`,
    ...(many ? [] : [`--load-model=${chosen}`]),
    ...flagsOf(env),
    ...gpuLimits(env, disk),
    ...(env['SAGEMAKER_TRITON_ADDITIONAL_ARGS'] ?? '').split(/\s+/).filter((one) => one !== ''),
  ]
  if (many) notes.push(`serving many models; /ping says whether the server is ${pingMode}`)
  return {
    kind: 'start',
    argv,
    env: {
      SAGEMAKER_TRITON_PING_MODE: pingMode,
      ...(chosen === '' ? {} : { [DEFAULT_MODEL]: chosen }),
    },
    notes,
  }
}

/** The one model of `folder` that is to be served, or why there is none. */
function chooseModel(
  env: Environment,
  disk: ServeDisk,
  folder: string,
  notes: string[],
): string | Extract<ServePlan, { kind: 'problem' }> {
  const problem = (...lines: string[]) => ({ kind: 'problem', lines }) as const
  if (disk.isFile(`${folder}/config.pbtxt`)) {
    return problem(
      'Incorrect directory structure.',
      'Model directory needs to contain the top level folder',
    )
  }
  const folders = disk.folders(folder)
  const wanted = env[DEFAULT_MODEL] ?? ''
  if (wanted !== '') {
    if (folders.includes(wanted)) return wanted
    return problem(`Directory with provided ${DEFAULT_MODEL} ${wanted} does not exist`)
  }
  const [only] = folders
  if (only === undefined) return problem('No model found in model repository')
  if (folders.length > 1) {
    return problem(
      'More than 1 model directory found in model repository.',
      `Either provide a single directory or set ${DEFAULT_MODEL} to run the ensemble backend.`,
      `Directories found in model repository: ${folders.join(' ')}`,
    )
  }
  notes.push(`no ${DEFAULT_MODEL}: serving ${only}, the only model there is`)
  return only
}

function flagsOf(env: Environment): string[] {
  const flags: string[] = []
  for (const [name, flag] of Object.entries(FLAGS)) {
    const value = env[name] || DEFAULTS[name]
    if (value !== undefined)
      flags.push(`--${flag}=${flag === 'log-verbose' ? level(value) : value}`)
  }
  for (const [name, setting] of Object.entries(PYTHON)) {
    if (env[name]) flags.push(`--backend-config=python,${setting}=${env[name]}`)
  }
  return flags
}

/** Triton takes truths for verbose levels. */
function level(value: string): string {
  if (/^true$/i.test(value)) return '1'
  return /^false$/i.test(value) ? '0' : value
}

function gpuLimits(env: Environment, disk: ServeDisk): string[] {
  const limit = env['SAGEMAKER_TRITON_MODEL_LOAD_GPU_LIMIT'] ?? ''
  if (limit === '') return []
  return Array.from({ length: disk.gpus() }, (_, i) => `--model-load-gpu-limit=${i}:${limit}`)
}
