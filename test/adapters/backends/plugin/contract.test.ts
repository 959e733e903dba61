import { afterAll, beforeAll, expect, test } from 'vitest'
import { Plugin } from '../../../../adapters/backends/plugin/plugin.ts'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { memoryStore } from '../../../../adapters/stores/memory.ts'
import { identityBackend } from '../../../../core/backend/identity.ts'
import { repeatBackend } from '../../../../core/backend/repeat.ts'
import type { ModelSource } from '../../../../core/backend/types.ts'
import { configOfDatatype } from '../../../../core/config/datatypes.ts'
import { InferRequest, type InferResponse } from '../../../../core/infer.ts'
import { createServer, type Server } from '../../../../core/server.ts'
import type { Datatype } from '../../../../core/tensor.ts'
import { backendContract } from '../../../contract/backend.ts'
import { testLog } from '../../../helpers/test-log.ts'

const clock = nodeClock()
const { log } = testLog()

const identity = (datatype: Datatype): ModelSource => ({
  name: 'm',
  version: 1,
  config: {
    name: 'm',
    max_batch_size: 8,
    input: [{ name: 'X', data_type: configOfDatatype(datatype), dims: [-1] }],
    output: [{ name: 'Y', data_type: configOfDatatype(datatype), dims: [-1] }],
  },
  settings: new Map(),
  store: memoryStore({ files: new Map() }),
  modelPath: 'm',
  versionPath: 'm/1',
  log,
})

backendContract({
  name: 'identity as a plug-in',
  create: () =>
    new Plugin(() => identityBackend({ clock }), { name: 'identity', clock, log }).lend(),
  models: { identity },
})

const REPEAT = `backend: "repeat"
model_transaction_policy { decoupled: true }
input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] }, { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] }, { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] } ]
`

let server: Server
beforeAll(async () => {
  const plugin = new Plugin(() => repeatBackend({ clock }), { name: 'repeat', clock, log })
  const files = new Map([
    ['r/config.pbtxt', new TextEncoder().encode(REPEAT)],
    ['r/1/x', new Uint8Array(1)],
  ])
  server = await createServer({
    platform: { clock, log },
    stores: [memoryStore({ files })],
    backends: [],
    finder: {
      find: async () => ({ backend: await plugin.lend(), looked: [] }),
      locate: async () => ({ looked: [] }),
      close: () => plugin.close(),
    },
  })
})
afterAll(() => server.close())

test('a decoupled model of a plug-in answers any number of times, and serves the next request', async () => {
  expect(server.startupErrors).toEqual([])
  const tensor = (name: string, datatype: Datatype, values: readonly number[]) => ({
    name,
    datatype,
    shape: [values.length],
    data: new Uint8Array(Int32Array.from(values).buffer),
  })
  for (let round = 0; round < 3; round++) {
    const numbers: number[] = []
    await new Promise<void>((resolve) => {
      const inputs = [
        tensor('IN', 'INT32', [5, 6, 7]),
        tensor('DELAY', 'UINT32', [0, 0, 0]),
        tensor('WAIT', 'UINT32', [0]),
      ]
      const request = new InferRequest(
        { inputs },
        {
          answer(_request, answer, final) {
            const out = (answer as InferResponse | null)?.outputs.find(({ name }) => name === 'OUT')
            if (out !== undefined) numbers.push(out.data[0] as number)
            if (final) resolve()
          },
        },
      )
      const model = server.model('r', '')
      model.check(request)
      model.submit(request)
    })
    expect(numbers).toEqual([5, 6, 7])
  }
})
