import { rmSync } from 'node:fs'
import { afterAll, test } from 'vitest'
import type { ModelConfig } from '../../../../core/config/types.ts'
import type { Datatype, Tensor } from '../../../../core/tensor.ts'
import { backendContract } from '../../../contract/backend.ts'
import { ADD_SUB, IDENTITY, PASSED_ON, SLOW } from './models.ts'
import { backend, folder, MISSING, modelOf } from './rig.ts'

const repository = folder(() => {})
afterAll(() => rmSync(repository, { recursive: true }))

const io = (name: string, type: string): object => ({ name, data_type: `TYPE_${type}`, dims: [-1] })
const configType = (datatype: Datatype): string => (datatype === 'BYTES' ? 'STRING' : datatype)
const count = (value: bigint): Tensor => ({
  name: 'COUNT',
  datatype: 'INT64',
  shape: [1],
  data: new Uint8Array(new BigInt64Array([value]).buffer),
})
const config = (inputs: object[], outputs: object[], more: ModelConfig): ModelConfig =>
  ({ input: inputs, output: outputs, ...more }) as ModelConfig
const identityFor = (datatype: Datatype): [string, string] =>
  datatype === 'BF16' ? ['passed_on', PASSED_ON] : ['identity', IDENTITY]
const BATCHING: ModelConfig = { max_batch_size: 8 }

if (MISSING !== undefined) test.skip(`the Python backend (${MISSING})`, () => {})
else {
  backendContract({
    name: 'python',
    create: () => backend(),
    exceptions: {
      shapeError: 'a model in Python takes what it takes',
      sizeError: 'requests are checked before they come here',
    },
    models: {
      identity: (datatype) =>
        modelOf(repository, ...identityFor(datatype), {
          config: config(
            [io('X', configType(datatype))],
            [io('Y', configType(datatype))],
            BATCHING,
          ),
        }),
      addSub: modelOf(repository, 'add_sub', ADD_SUB, {
        config: config(
          [io('A', 'FP32'), io('B', 'FP32')],
          [io('SUM', 'FP32'), io('DIFF', 'FP32')],
          BATCHING,
        ),
      }),
      slow: {
        source: modelOf(repository, 'slow', SLOW, {
          config: config([io('COUNT', 'INT64')], [io('DONE', 'INT64')], {}),
        }),
        inputs: [count(3_600_000n)],
        quick: [count(0n)],
      },
      broken: [
        {
          source: modelOf(repository, 'absent', undefined),
          message: /^unable to find '.*absent\/1\/model\.py' for model/,
        },
        {
          source: modelOf(repository, 'throws', 'raise RuntimeError("not today")\n'),
          message: /not today/,
        },
      ],
    },
  })
}
