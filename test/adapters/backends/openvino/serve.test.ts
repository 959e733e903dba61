import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { memoryStore } from '../../../../adapters/stores/memory.ts'
import { createServer, type Server } from '../../../../core/server.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { floats, floatsOf } from '../../../contract/backend.ts'
import { silentLog } from '../onnx-fixtures.ts'
import { inferOn } from '../onnx-serve.ts'
import { backendOf, FIXTURES, LIBRARY, missing } from './fixtures.ts'

const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, name)))
const text = (config: string): Uint8Array => new TextEncoder().encode(config)

function serve(files: Readonly<Record<string, Uint8Array>>): Promise<Server> {
  return createServer({
    platform: { clock: nodeClock(), log: silentLog },
    stores: [memoryStore({ files: new Map(Object.entries(files)) })],
    backends: [backendOf()],
    options: { modelControlMode: 'explicit' },
  })
}

const row = (name: string, values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape: [1, values.length],
  data: floats(values),
})

test.skipIf(LIBRARY === undefined)(
  `a model.xml alone in its folder gets a config, batches, and everyone an own answer${missing}`,
  async () => {
    const server = await serve({ 'sums/1/model.xml': file('add_sub.xml') })
    await server.load('sums', {})
    const { config } = server.model('sums', '')
    expect(config).toMatchObject({
      backend: 'openvino',
      default_model_filename: 'model.xml',
      max_batch_size: 4,
      instance_group: [{ kind: 'KIND_CPU', count: 1 }],
    })
    for (const name of ['A', 'B']) {
      expect(config.input).toContainEqual({ name, data_type: 'TYPE_FP32', dims: [4] })
    }
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        inferOn(server, 'sums', [row('A', [i, 1, 2, 3]), row('B', [1, 1, 1, i])]),
      ),
    )
    for (const [i, answer] of answers.entries()) {
      expect(floatsOf(answer.get('SUM') as Tensor)).toEqual([i + 1, 2, 3, i + 3])
      expect(floatsOf(answer.get('DIFF') as Tensor)).toEqual([i - 1, 0, 1, 3 - i])
    }
    await server.close()
  },
)

test.skipIf(LIBRARY === undefined)(
  `a config that the model does not agree with is refused in the words that others are${missing}`,
  async () => {
    const config = (input: string) =>
      text(
        `backend: "openvino" max_batch_size: 2 input { name: "${input}" data_type: TYPE_FP32 dims: [ 4 ] } output { name: "Y" data_type: TYPE_FP32 dims: [ 4 ] }`,
      )
    const server = await serve({
      'named/1/model.xml': file('static.xml'),
      'named/1/model.bin': file('static.bin'),
      'named/config.pbtxt': config('Z'),
      'sized/1/model.xml': file('static.xml'),
      'sized/1/model.bin': file('static.bin'),
      'sized/config.pbtxt': config('X'),
    })
    await expect(server.load('named', {})).rejects.toThrow(
      /unexpected inference input 'Z', allowed inputs are: X/,
    )
    await expect(server.load('sized', {})).rejects.toThrow(/'X'.*(\[4\]|\[-1,4\])/)
    await server.close()
  },
)
