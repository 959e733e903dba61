import { fileURLToPath } from 'node:url'
import type { InlineMode } from '../../../../adapters/backends/onnx-pace.ts'
import { openVinoBackend } from '../../../../adapters/backends/openvino/openvino.ts'
import { diskStore } from '../../../../adapters/stores/disk.ts'
import type { Backend, ModelSource } from '../../../../core/backend/types.ts'
import type { ModelConfig } from '../../../../core/config/types.ts'
import type { ModelStore } from '../../../../core/platform.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { findOpenVinoLibrary } from '../../../../native/openvino/find.ts'
import type { ContractModels } from '../../../contract/backend.ts'
import { fixture as onnxFixture, realClock } from '../onnx-fixtures.ts'

/** Where the small models of `make.py` lie. */
export const FIXTURES: string = fileURLToPath(
  new URL('../../../fixtures/openvino', import.meta.url),
)

/** Where `test/python/setup.sh openvino` puts it; an installation that this machine has is taken, too. */
const VENV = fileURLToPath(new URL('../../../../.cache/python/openvino', import.meta.url))

export const LIBRARY: string | undefined = findOpenVinoLibrary({
  folders: [VENV, fileURLToPath(new URL('../../../../.cache/python/ml', import.meta.url))],
})

/** Says why tests were skipped. */
export const missing =
  LIBRARY === undefined ? ' (skipped: no OpenVINO here, test/python/setup.sh openvino gets it)' : ''

export const backendOf = (inline: InlineMode = 'auto'): Backend =>
  openVinoBackend({ clock: realClock, library: LIBRARY, inline })

const store = diskStore({ root: FIXTURES })

/** One file of the fixtures as a model version. */
export function fixture(
  name: string,
  config: ModelConfig = { max_batch_size: 8 },
  from: ModelStore = store,
): ModelSource {
  return {
    ...onnxFixture(name, { default_model_filename: `${name}.xml`, ...config }, from),
  }
}

/** `parameters` of a config. */
export const parameters = (
  values: Readonly<Record<string, string>>,
): Pick<ModelConfig, 'parameters'> => ({
  parameters: Object.fromEntries(
    Object.entries(values).map(([key, string_value]) => [key, { string_value }]),
  ),
})

const square = (size: number): Tensor => ({
  name: 'X',
  datatype: 'FP32',
  shape: [size, size],
  data: new Uint8Array(size * size * 4),
})

/** Its dozen products take seconds on any machine; a run that is stopped does not do them. */
const SLOW_SIZE = 3_500

export const openVinoModels: ContractModels = {
  identity: (datatype) => fixture(`identity_${datatype.toLowerCase()}`),
  addSub: fixture('add_sub'),
  slow: {
    source: fixture('slow', { max_batch_size: 0 }),
    inputs: [square(SLOW_SIZE)],
    quick: [square(2)],
  },
  broken: [
    {
      source: fixture('absent'),
      message: /^unable to find '.*absent\.xml' for model 'absent'$/,
    },
    {
      source: fixture('text', { default_model_filename: 'make.py' }),
      message:
        /^model 'text' names 'make.py': OpenVINO reads \.xml, \.onnx, .* and SavedModel folders$/,
    },
    {
      source: fixture('outside', { default_model_filename: '../onnx/add_sub.onnx' }),
      message: /path traversal/,
    },
    {
      source: fixture('u4', { max_batch_size: 0 }),
      message: /^unsupported OpenVINO element type 14 for I\/O 'X'$/,
    },
    {
      source: fixture('any_rank', { max_batch_size: 0 }),
      message: /^the number of dimensions of I\/O 'X' is not known$/,
    },
  ],
}
