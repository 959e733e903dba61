import { fileURLToPath } from 'node:url'
import { diskStore } from '../../../adapters/stores/disk.ts'
import type { ModelSource } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Clock, ModelStore } from '../../../core/platform.ts'
import type { Tensor } from '../../../core/tensor.ts'
import type { ContractModels } from '../../contract/backend.ts'

/** Where the small models of `make.py` lie. */
export const FIXTURES = fileURLToPath(new URL('../../fixtures/onnx', import.meta.url))

export const realClock: Clock = {
  now: () => performance.now() * 1e6,
  epochMs: () => Date.now(),
  after: (ns, run) => {
    const timer = setTimeout(run, ns / 1e6)
    return () => clearTimeout(timer)
  },
  nextTurn: (run) => setImmediate(run),
}

export const silentLog = { error() {}, warning() {}, info() {}, verbose() {} }

const store = diskStore({ root: FIXTURES })

/** One file of the fixtures as a model version. */
export function fixture(
  name: string,
  config: ModelConfig = { max_batch_size: 8 },
  from: ModelStore = store,
): ModelSource {
  return {
    name,
    version: 1,
    config: { name, default_model_filename: `${name}.onnx`, ...config },
    settings: new Map(),
    store: from,
    modelPath: '',
    versionPath: '',
    log: silentLog,
  }
}

/** Iterations that take seconds on any machine; a run that is stopped does not do them. */
const SLOW_ITERATIONS = 3_000_000n

const iterations = (count: bigint): Tensor => ({
  name: 'COUNT',
  datatype: 'INT64',
  shape: [1],
  data: new Uint8Array(new BigInt64Array([count]).buffer),
})

export const onnxModels: ContractModels = {
  identity: (datatype) => fixture(`identity_${datatype.toLowerCase()}`),
  addSub: fixture('add_sub'),
  slow: {
    source: fixture('slow', { max_batch_size: 0 }),
    inputs: [iterations(SLOW_ITERATIONS)],
    quick: [iterations(1n)],
  },
  broken: [
    {
      source: fixture('absent'),
      message: /^unable to find '.*absent\.onnx' for model instance 'absent'$/,
    },
    {
      source: fixture('text', { default_model_filename: 'make.py' }),
      message:
        /^onnx runtime error 7: Load model from .*make\.py failed:Protobuf parsing failed\.$/,
    },
    {
      source: fixture('outside', { default_model_filename: '../onnx/add_sub.onnx' }),
      message: /path traversal/,
    },
    {
      source: fixture('sequence'),
      message:
        /^Unsupported ONNX Type 'ONNX_TYPE_SEQUENCE' for I\/O 'Y', expected 'ONNX_TYPE_TENSOR'\.$/,
    },
  ],
}
