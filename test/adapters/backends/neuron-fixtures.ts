import { memoryStore } from '../../../adapters/stores/memory.ts'
import type { ModelSource } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Datatype } from '../../../core/tensor.ts'
import { neff } from '../../native/neuron/standin.ts'
import { silentLog } from './onnx-fixtures.ts'

export const MAX_BATCH = 8

/** A version with these files as a backend gets to see it. */
export function neuronSource(
  files: Readonly<Record<string, Uint8Array>>,
  config: ModelConfig = { max_batch_size: MAX_BATCH },
): ModelSource {
  return {
    name: 'm',
    version: 1,
    config: { name: 'm', ...config },
    settings: new Map(),
    store: memoryStore({ files: new Map(Object.entries(files)) }),
    modelPath: '',
    versionPath: '',
    log: silentLog,
  }
}

/** Copies X to Y: one file for each shape. */
export function identityFiles(
  datatype: Datatype,
  shapes: readonly (readonly number[])[],
): Record<string, Uint8Array> {
  return Object.fromEntries(
    shapes.map((shape) => [
      `model.neff/${shape.join('x')}.neff`,
      neff({ inputs: [['X', datatype, shape]], outputs: [['Y', datatype, shape]] }),
    ]),
  )
}
