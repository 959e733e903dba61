import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { parameter } from '../onnx-parameters.ts'
import { acceleratedConfig } from './accelerator.ts'

/** What a config's parameters say, under the names that Triton's backend has for them. */
export interface OpenVinoSettings {
  /** `TARGET_DEVICE`: `CPU`, `GPU.1`, `AUTO`, … */
  readonly device: string
  /** Of the compiled model, as OpenVINO names them. */
  readonly properties: ReadonlyMap<string, string>
  /** `SKIP_OV_DYNAMIC_BATCHSIZE`: every batch has `max_batch_size` rows. */
  readonly fixedBatch: boolean
  /** `ENABLE_BATCH_PADDING`: smaller batches are filled up where their size is fixed. */
  readonly padding: boolean
  /** `RESHAPE_IO_LAYERS`: the model's inputs get the config's dims. */
  readonly reshape: boolean
  /** `CPU_EXTENSION_PATH`. */
  readonly extension: string | undefined
}

/** Of the values between operators. Triton's backend has no such parameter: there OpenVINO decides, or HINT_BF16. */
const PRECISIONS = ['f32', 'f16', 'bf16']
const HINTS = ['LATENCY', 'THROUGHPUT', 'CUMULATIVE_THROUGHPUT']

/** Throws INVALID_ARG, in Triton's words, for values that cannot be. */
export function settingsOf(given: ModelConfig): OpenVinoSettings {
  const config = acceleratedConfig(given) ?? given
  const text = (key: string): string | undefined => parameter(config, key) || undefined
  const yes = (key: string): boolean => text(key)?.toLowerCase() === 'yes'
  const device = text('TARGET_DEVICE')?.toUpperCase() ?? 'CPU'
  return {
    device,
    properties: properties(config, device, text),
    fixedBatch: yes('SKIP_OV_DYNAMIC_BATCHSIZE'),
    padding: yes('ENABLE_BATCH_PADDING'),
    reshape: yes('RESHAPE_IO_LAYERS'),
    extension: text('CPU_EXTENSION_PATH'),
  }
}

function properties(
  config: ModelConfig,
  device: string,
  text: (key: string) => string | undefined,
): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  const take = (key: string, property: string, read: (key: string, text: string) => string) => {
    const value = text(key)
    if (value !== undefined) all.set(property, read(key, value))
  }
  take('INFERENCE_NUM_THREADS', 'INFERENCE_NUM_THREADS', count)
  take('COMPILATION_NUM_THREADS', 'COMPILATION_NUM_THREADS', count)
  take('HINT_BF16', 'INFERENCE_PRECISION_HINT', bf16)
  take('INFERENCE_PRECISION_HINT', 'INFERENCE_PRECISION_HINT', precision)
  take('NUM_STREAMS', 'NUM_STREAMS', streams)
  take('PERFORMANCE_HINT', 'PERFORMANCE_HINT', hint)
  if (device === 'CPU') {
    // Its plugin compiles with the threads it runs with and refuses to be told.
    all.delete('COMPILATION_NUM_THREADS')
    // Instances run beside each other only where each has a stream.
    if (!all.has('NUM_STREAMS') && !all.has('PERFORMANCE_HINT')) {
      all.set('NUM_STREAMS', String(instances(config)))
    }
  }
  return all
}

function instances(config: ModelConfig): number {
  const groups = config.instance_group ?? []
  return Math.max(
    1,
    groups.reduce((sum, group) => sum + (group.count ?? 1), 0),
  )
}

function count(key: string, text: string): string {
  if (/^\d{1,9}$/.test(text)) return text
  throw expected(key, 'a non-negative number', text)
}

function bf16(key: string, text: string): string {
  if (text.toLowerCase() === 'yes') return 'bf16'
  throw expected(key, 'YES', text)
}

function precision(key: string, text: string): string {
  const lower = text.toLowerCase()
  if (PRECISIONS.includes(lower)) return lower
  throw expected(key, PRECISIONS.join('/'), text)
}

function streams(key: string, text: string): string {
  const upper = text.toUpperCase()
  if (upper === 'AUTO' || upper === 'NUMA' || /^\d{1,9}$/.test(text)) return upper
  throw expected(key, 'either AUTO/NUMA/<int_value>', text)
}

function hint(key: string, text: string): string {
  const upper = text.toUpperCase()
  if (HINTS.includes(upper)) return upper
  throw expected(key, HINTS.join('/'), text)
}

function expected(key: string, what: string, text: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `expected the parameter '${key}' to be ${what}, got ${text.toLowerCase()}`,
  )
}
