import type { Instance, ModelSource } from '../backend/types.ts'
import type { ModelConfig, ModelWarmup, WarmupInput } from '../config/types.ts'
import { messageOf, ServerError } from '../errors.ts'
import { InferRequest, type ResponseSink } from '../infer.ts'
import { safeJoin } from '../paths.ts'
import { executeUncounted } from '../schedulers/create.ts'
import { byteSize, elementCount, type Tensor } from '../tensor.ts'
import { datatypeOf } from './metadata.ts'

/** Holds the files that `input_data_file` names, in the model's folder. */
export const WARMUP_FOLDER = 'warmup'

/** Bytes one input of a warm-up sample may have. */
export const MAX_WARMUP_INPUT_BYTES: number = 256 * 1024 * 1024
/** Requests in one warm-up sample (`batch_size`). */
export const MAX_WARMUP_BATCH = 65_536

/** A batch that every instance executes before the model is ready. */
export interface WarmupSample {
  readonly name: string
  readonly count: number
  /** Executed together. */
  readonly requests: readonly InferRequest[]
}

/**
 * Builds the samples of `model_warmup`; `check` is the model's request check, which also puts inputs in order. A sample
 * of batch size 0 is left out, as in Triton.
 */
export async function warmupSamples(options: {
  readonly config: ModelConfig
  readonly source: ModelSource
  readonly check: (request: InferRequest) => void
  readonly signal?: AbortSignal | undefined
}): Promise<readonly WarmupSample[]> {
  const samples: WarmupSample[] = []
  const extras = sequenceInputs(options.config)
  for (const setting of options.config.model_warmup ?? []) {
    const size = setting.batch_size ?? 0
    if (size === 0) continue
    if (size > MAX_WARMUP_BATCH) {
      throw invalid(
        `warmup setting '${setting.name ?? ''}' has batch_size ${size}, the limit is ${MAX_WARMUP_BATCH}`,
      )
    }
    const all = await warmupInputs(setting, options)
    const inputs = all.filter(({ name }) => !extras.has(name))
    const requests: InferRequest[] = []
    for (let i = 0; i < size; i++) {
      const request = new InferRequest({ inputs }, NOBODY)
      options.check(request)
      request.inputs = [...request.inputs, ...all.filter(({ name }) => extras.has(name))]
      requests.push(request)
    }
    // Without a batch dimension nothing can be joined: one request after the other.
    const batched = (options.config.max_batch_size ?? 0) > 0
    const batches = batched ? [requests] : requests.map((one) => [one])
    const count = Math.max(1, setting.count ?? 1)
    for (const batch of batches) {
      samples.push({ name: setting.name ?? '', count, requests: batch })
    }
  }
  return samples
}

/** Executes the samples on one instance. Nothing is counted. Throws what the instance answers. */
export async function warmUp(
  instance: Instance,
  samples: readonly WarmupSample[],
  options: { readonly decoupled?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { decoupled = false, signal } = options
  for (const sample of samples) {
    for (let i = 0; i < sample.count; i++) {
      signal?.throwIfAborted()
      await executeOnce(instance, sample, decoupled)
    }
  }
}

async function executeOnce(
  instance: Instance,
  sample: WarmupSample,
  decoupled: boolean,
): Promise<void> {
  try {
    const result = await executeUncounted(instance, sample.requests, decoupled)
    result.release?.()
  } catch (error) {
    const { code } = ServerError.from(error)
    throw new ServerError(code, `failed to run warmup sample '${sample.name}': ${messageOf(error)}`)
  }
}

/** Inputs that no client may send: a sample gives the model what the sequence scheduler would. */
function sequenceInputs(config: ModelConfig): ReadonlySet<string> {
  const { control_input, state } = config.sequence_batching ?? {}
  const names = [
    ...(control_input ?? []).map((input) => input.name),
    ...(state ?? []).map((one) => one.input_name),
  ]
  return new Set(names.map((name) => name ?? ''))
}

async function warmupInputs(
  setting: ModelWarmup,
  options: {
    readonly config: ModelConfig
    readonly source: ModelSource
    readonly signal?: AbortSignal | undefined
  },
): Promise<readonly Tensor[]> {
  const tensors: Tensor[] = []
  for (const [name, input] of Object.entries(setting.inputs ?? {})) {
    const dims = input.dims ?? []
    const datatype = datatypeOf(input.data_type, name)
    const fixed = byteSize(datatype, dims)
    // Synthetic strings are empty: four bytes of length each.
    const bytes = fixed === -1 ? elementCount(dims) * 4 : fixed
    if (bytes > MAX_WARMUP_INPUT_BYTES) {
      throw invalid(
        `warmup input '${name}' has ${bytes} bytes, the limit is ${MAX_WARMUP_INPUT_BYTES}`,
      )
    }
    const batched = (options.config.max_batch_size ?? 0) > 0
    const data = await warmupData(name, input, bytes, fixed === -1, options)
    tensors.push({ name, datatype, shape: batched ? [1, ...dims] : [...dims], data })
  }
  return tensors
}

async function warmupData(
  name: string,
  input: WarmupInput,
  bytes: number,
  strings: boolean,
  options: { readonly source: ModelSource; readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array> {
  if (input.zero_data === true) return new Uint8Array(bytes)
  if (input.random_data === true) {
    return strings ? new Uint8Array(bytes) : noise(bytes, input.data_type === 'TYPE_BOOL')
  }
  const file = input.input_data_file ?? ''
  if (file === '') {
    throw invalid(`warmup setting expects input '${name}' to have input_data_type set`)
  }
  const path = safeJoin(options.source.modelPath, WARMUP_FOLDER, file)
  const content = await options.source.store.read(path, options.signal)
  if (strings) return content
  if (content.length < bytes) {
    throw invalid(
      `warmup setting expects ${bytes} bytes, but the data provided from ${file} only has ${content.length} bytes`,
    )
  }
  return content.subarray(0, bytes)
}

/** Pseudo-random bytes, the same in every run: a warm-up that fails can be repeated. */
function noise(bytes: number, bool: boolean): Uint8Array {
  const data = new Uint8Array(bytes)
  let state = 0x9e3779b9
  for (let i = 0; i < bytes; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    data[i] = bool ? state & 1 : state & 0xff
  }
  return data
}

const NOBODY: ResponseSink = { answer() {} }

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
