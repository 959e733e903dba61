import { safeName } from '../../core/paths.ts'
import type { FlagReader } from './flag-reader.ts'
import { FlagError } from './flag-types.ts'
import type { SageMakerFlags, ServeOptions, VertexFlags } from './options.ts'

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_MODEL = 'SAGEMAKER_TRITON_DEFAULT_MODEL_NAME'
const INFERENCE_TYPE = 'SAGEMAKER_TRITON_INFERENCE_TYPE'
const PING_MODE = 'SAGEMAKER_TRITON_PING_MODE'

export function sagemakerFlags(read: FlagReader, env: Environment): SageMakerFlags {
  const enabled = read.boolean('allow-sagemaker')
  // What is said for SageMaker is nobody's business where it does not ask.
  const said = enabled ? env : {}
  return {
    enabled,
    address: read.string('sagemaker-address'),
    port: read.number('sagemaker-port'),
    pingMode: one(said, PING_MODE, ['ready', 'live']),
    // The name tells the reader of "unknown model" what to do about it.
    defaultModel: modelName(said[DEFAULT_MODEL] || `unspecified_${DEFAULT_MODEL}`),
    inferenceType: one(said, INFERENCE_TYPE, ['infer', 'generate', 'generate_stream']),
    modelsFolder: read.string('sagemaker-models-folder').replace(/\/+$/, ''),
  }
}

/** What flags default to where a host says so: on Vertex AI its own port is the only one, unless others are asked for. */
export function hostDefaults(env: Environment): Readonly<Record<string, string>> {
  const port = env['AIP_HTTP_PORT'] ?? ''
  return {
    ...(env['AIP_MODE'] === 'PREDICTION'
      ? { 'allow-vertex-ai': 'true', 'allow-http': 'false', 'allow-grpc': 'false' }
      : {}),
    ...(port === '' ? {} : { 'vertex-ai-port': port }),
  }
}

export function vertexFlags(read: FlagReader, env: Environment): VertexFlags {
  return {
    enabled: read.boolean('allow-vertex-ai'),
    address: read.string('vertex-ai-address'),
    port: read.number('vertex-ai-port'),
    predictRoute: env['AIP_PREDICT_ROUTE'] ?? '',
    healthRoute: env['AIP_HEALTH_ROUTE'] ?? '',
    defaultModel: modelName(read.string('vertex-ai-default-model')),
  }
}

/** SageMaker may keep the ports of all other endpoints within a range. */
export function checkSafePorts(range: string, { http, grpc, metrics }: ServeOptions): void {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(range) ?? []
  if (from === undefined) return
  const services = [
    { name: 'HTTP', ...http },
    { name: 'GRPC', ...grpc },
    { name: 'metrics', ...metrics },
  ]
  for (const { name, enabled, port } of services) {
    if (!enabled || (port >= Number(from) && port <= Number(to))) continue
    throw new FlagError(
      `The server cannot listen to ${name} requests at port ${port}, allowed port range is [${from}, ${to}]`,
    )
  }
}

function one<T extends string>(env: Environment, name: string, choices: readonly [T, ...T[]]): T {
  const given = env[name] || choices[0]
  const known = choices.find((choice) => choice === given)
  if (known !== undefined) return known
  throw new FlagError(`Invalid ${name} '${given}'. Must be one of: ${choices.join(', ')}`)
}

function modelName(name: string): string {
  try {
    return name === '' ? '' : safeName(name, 'model name')
  } catch (error) {
    throw new FlagError(error instanceof Error ? error.message : String(error))
  }
}
