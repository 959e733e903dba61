import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { typescriptBackend } from '../../../adapters/backends/typescript.ts'
import { diskStore } from '../../../adapters/stores/disk.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Datatype, Tensor } from '../../../core/tensor.ts'
import { backendContract } from '../../contract/backend.ts'
import { realClock } from './onnx-fixtures.ts'
import { ask, buildWorker, fixture, serveModels, text, told } from './typescript-rig.ts'

const { worker, remove } = buildWorker()
afterAll(remove)

const BATCHING: ModelConfig = { max_batch_size: 8 }
const io = (name: string, type: string): object => ({ name, data_type: `TYPE_${type}`, dims: [-1] })
const configType = (datatype: Datatype): string => (datatype === 'BYTES' ? 'STRING' : datatype)
const count = (value: bigint): Tensor => ({
  name: 'COUNT',
  datatype: 'INT64',
  shape: [1],
  data: new Uint8Array(new BigInt64Array([value]).buffer),
})
const config = (inputs: object[], outputs: object[], more: ModelConfig = BATCHING): ModelConfig =>
  ({ input: inputs, output: outputs, ...more }) as ModelConfig

backendContract({
  name: 'typescript',
  create: () => typescriptBackend({ clock: realClock, worker }),
  models: {
    identity: (datatype) =>
      fixture('identity', config([io('X', configType(datatype))], [io('Y', configType(datatype))])),
    addSub: fixture(
      'add_sub',
      config([io('A', 'FP32'), io('B', 'FP32')], [io('SUM', 'FP32'), io('DIFF', 'FP32')]),
    ),
    slow: {
      source: fixture('slow', config([io('COUNT', 'INT64')], [io('DONE', 'INT64')], {})),
      inputs: [count(3_600_000n)],
      quick: [count(0n)],
    },
    broken: [
      { source: fixture('absent'), message: /^unable to find '.*absent\/1\/model\.ts' for model/ },
      { source: fixture('throws'), message: /^model 'throws' cannot be opened: not today$/ },
      { source: fixture('no_execute'), message: /exports no function execute$/ },
    ],
  },
})

describe('the typescript backend', () => {
  const backend = typescriptBackend({ clock: realClock, worker })
  const CPU = { name: 'x_0', kind: 'KIND_CPU', device: 0 } as const

  test('a mistake in the code is told with its place', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nereid-test-'))
    try {
      writeFileSync(join(folder, 'model.ts'), 'export const a = 1\nexport function execute( {\n')
      const source = { ...fixture('wrong'), store: diskStore({ root: folder }), versionPath: '' }
      await expect(backend.load(source)).rejects.toThrow(
        /^model 'wrong'.*(model\.ts:3|Unexpected|Expected)/,
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('an initialize that throws is why the instance cannot be had', async () => {
    const model = await backend.load(fixture('uninitialized'))
    await expect(model.instance(CPU, {})).rejects.toThrow(
      "model 'uninitialized' cannot be initialized: no weights",
    )
    await model.close()
  })

  test('a setting that is none and a GPU are refused', async () => {
    const parameters = { execution_timeout_ms: { string_value: 'soon' } }
    await expect(backend.load(fixture('identity', { parameters }))).rejects.toThrow(
      "execution_timeout_ms must be a whole number from 0 to 86400000, got 'soon'",
    )
    const model = await backend.load(fixture('identity'))
    const gpu = { name: 'x_0_gpu0', kind: 'KIND_GPU', device: 0 } as const
    await expect(model.instance(gpu, {})).rejects.toThrow(/KIND_GPU.*runs on KIND_CPU/)
    await model.close()
  })

  test('an aborted load ends its worker', async () => {
    const abort = new AbortController()
    const load = backend.load(fixture('identity'), abort.signal)
    abort.abort(new Error('unloaded meanwhile'))
    await expect(load).rejects.toThrow()
  })
})

describe('a model in TypeScript on a server', () => {
  test('its config comes from its module, and what the user says goes before', async () => {
    const serving = await serveModels(worker, { completed: 'max_batch_size: 4', plain: '' })
    const completed = serving.server.modelConfig('completed', '')
    expect(completed.max_batch_size).toBe(4)
    expect(completed.input?.[0]?.name).toBe('TEXT')
    expect(completed.parameters?.['told']?.string_value).toBe('completed')
    expect(await told(ask(serving, 'plain', [text(['x'], [1])]))).toBe('plain')
  })

  test('without auto-completion the config is the user’s', async () => {
    const options = { disableAutoComplete: true }
    const serving = await serveModels(worker, { completed: '' }, options)
    expect(serving.server.modelMetadata('completed', '').inputs).toEqual([])
  })

  test('code does not come with a load request', async () => {
    const serving = await serveModels(worker, {}, { modelControlMode: 'explicit' })
    const files = new Map([['1/model.ts', new TextEncoder().encode('process.exit(1)')]])
    const config = JSON.stringify({ backend: 'typescript' })
    await expect(serving.server.load('evil', { config, files })).rejects.toThrow(
      "the code of model 'evil' must lie in a repository on this machine's disk",
    )
  })

  test('parameters of an answer arrive', async () => {
    const serving = await serveModels(worker, { completed: '' })
    const [answer] = await ask(serving, 'completed', [text(['a', 'b'], [2, 1])]).done
    expect(answer).toMatchObject({ parameters: new Map([['rows', 2]]) })
  })

  test('a finalize that throws is logged and does not keep the model', async () => {
    const serving = await serveModels(worker, { completed: '' })
    await serving.server.close(5000)
    expect(serving.logged.join('\n')).toContain('nothing to finalize')
    expect(serving.server.inflight).toBe(0)
  })
})
