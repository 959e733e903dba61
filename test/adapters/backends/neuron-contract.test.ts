import { afterAll, test } from 'vitest'
import { neuronBackend } from '../../../adapters/backends/neuron.ts'
import type { Placement } from '../../../core/backend/types.ts'
import type { Datatype } from '../../../core/tensor.ts'
import { backendContract } from '../../contract/backend.ts'
import { compileStandIn, NO_STANDIN, neff } from '../../native/neuron/standin.ts'
import { identityFiles, MAX_BATCH, neuronSource } from './neuron-fixtures.ts'
import { realClock } from './onnx-fixtures.ts'

const standIn = NO_STANDIN === undefined ? compileStandIn() : undefined
afterAll(() => standIn?.remove())

/** Sizes that the contract asks for. */
const COLUMNS = [2, 3, 30_000, 40_000]
const NOT_ON_NEURON: Datatype[] = ['BOOL', 'FP64', 'BYTES']

const contractBackend =
  standIn && (await neuronBackend({ clock: realClock, libraryPath: standIn.path }))
if (contractBackend === undefined) {
  test.skip(`the contract of the neuron backend (skipped: ${NO_STANDIN})`, () => {})
} else {
  // The contract places its instances on a CPU; here a core is what it means.
  const placed: Placement = { name: 'test_0', kind: 'KIND_GPU', device: 0 }
  backendContract({
    name: 'neuron',
    create: () => ({
      ...contractBackend,
      load: async (source, signal) => {
        const model = await contractBackend.load(source, signal)
        return {
          ...(model.io === undefined ? {} : { io: model.io }),
          instance: (_, config) => model.instance(placed, config),
          close: () => model.close(),
        }
      },
    }),
    models: {
      identity: (datatype) =>
        neuronSource(
          identityFiles(
            datatype,
            COLUMNS.map((columns) => [MAX_BATCH, columns]),
          ),
        ),
      addSub: neuronSource({
        'model.neff': neff({
          op: 'addsub',
          inputs: [
            ['A', 'FP32', [MAX_BATCH, 4]],
            ['B', 'FP32', [MAX_BATCH, 4]],
          ],
          outputs: [
            ['SUM', 'FP32', [MAX_BATCH, 4]],
            ['DIFF', 'FP32', [MAX_BATCH, 4]],
          ],
        }),
      }),
      broken: [
        { source: neuronSource({}), message: /^unable to find 'memory\/model\.neff' for model/ },
        { source: neuronSource({ 'model.neff': new Uint8Array(0) }), message: /is empty$/ },
        {
          source: neuronSource({ 'model.neff': new TextEncoder().encode('text') }),
          message: /^neuron runtime: nrt_load of 4 bytes on core \d failed: 2 \(NRT_INVALID\)$/,
        },
        {
          source: neuronSource({ 'model.neff': new TextEncoder().encode('NEFFSTANDIN 9') }),
          message: /10 \(NRT_UNSUPPORTED_NEFF_VERSION\)$/,
        },
        {
          source: neuronSource(identityFiles('FP32', [[4, 2]])),
          message: /^model 'm' has max_batch_size 8, but was compiled for batches of 4$/,
        },
        {
          source: neuronSource(identityFiles('FP64', [[8, 2]])),
          message: /^tensor 'X' of model 'm' has the Neuron datatype 13, 128 bytes for \[8,2\]/,
        },
      ],
    },
    unsupported: Object.fromEntries(
      NOT_ON_NEURON.map((datatype) => [datatype, 'no datatype of a NEFF']),
    ),
    exceptions: { noElements: 'no NEFF has a shape without elements' },
  })
}
