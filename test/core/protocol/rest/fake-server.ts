import { ServerError } from '../../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../../core/infer.ts'
import type {
  InferenceServer,
  LogControl,
  LogSettings,
  ServedModel,
  TensorMetadata,
} from '../../../../core/server-types.ts'
import { ModelStats } from '../../../../core/stats.ts'

export interface FakeModelOptions {
  name?: string
  inputs?: TensorMetadata[]
  outputs?: TensorMetadata[]
  maxBatchSize?: number
  labels?: Record<string, string[]>
  decoupled?: boolean
  submit?: (request: InferRequest) => void
}

/** A model that answers with its inputs, renamed to its outputs. */
export function fakeModel(options: FakeModelOptions = {}): ServedModel {
  const inputs = options.inputs ?? [{ name: 'INPUT0', datatype: 'FP32', shape: [-1, -1] }]
  const outputs = options.outputs ?? [{ name: 'OUTPUT0', datatype: 'FP32', shape: [-1, -1] }]
  return {
    name: options.name ?? 'echo',
    version: 1,
    config: {
      name: options.name ?? 'echo',
      max_batch_size: options.maxBatchSize ?? 8,
      ...(options.decoupled ? { model_transaction_policy: { decoupled: true } } : {}),
    },
    inputs,
    outputs,
    stats: new ModelStats(),
    pending: 0,
    checksContent: false,
    ready: true,
    labels: (output) => options.labels?.[output],
    check: () => undefined,
    submit: options.submit ?? ((request) => request.respond(echo(request, outputs))),
  }
}

function echo(request: InferRequest, outputs: readonly TensorMetadata[]): InferResponse {
  return {
    outputs: request.inputs.map((input, i) => ({ ...input, name: outputs[i]?.name ?? input.name })),
  }
}

/** A server that knows `models` by name. */
export function fakeServer(...models: ServedModel[]): InferenceServer {
  const find = (name: string): ServedModel => {
    const model = models.find((candidate) => candidate.name === name)
    if (model === undefined) {
      throw new ServerError('NOT_FOUND', `Request for unknown model: '${name}' is not found`)
    }
    return model
  }
  return {
    id: 'triton',
    version: '2.51.0',
    extensions: ['classification', 'binary_tensor_data'],
    generation: 0,
    inflight: 0,
    live: () => true,
    ready: () => models.every((model) => model.ready),
    model: find,
    modelReady: (name) => models.some((model) => model.name === name),
    askModelReady: (name) => models.some((model) => model.name === name),
    modelMetadata: (name) => ({
      name: find(name).name,
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: find(name).inputs,
      outputs: find(name).outputs,
    }),
    modelConfig: (name) => find(name).config,
    statistics: (name) => [
      { name: name ?? 'echo', version: '1', stats: find(name ?? 'echo').stats },
    ],
    models: () => models,
    index: async (readyOnly) => [
      { name: 'echo', version: '1', state: 'READY', reason: '' },
      ...(readyOnly ? [] : [{ name: 'never' }]),
    ],
    load: async (name) => {
      find(name)
    },
    unload: async () => undefined,
    close: async () => undefined,
  }
}

export function fakeLogControl(): LogControl {
  const settings: LogSettings = {
    log_file: '',
    log_info: true,
    log_warning: true,
    log_error: true,
    log_verbose_level: 0,
    log_format: 'default',
  }
  return {
    get: () => settings,
    set: (change) => Object.assign(settings, change),
    enabled: () => true,
  }
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** What `run` throws, as `CODE: message`. */
export function failure(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof ServerError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}
