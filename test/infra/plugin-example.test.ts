import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { onnxGraph } from '../helpers/onnx-graph.ts'
import { ROOT, serve, start, stopAll } from '../targets/child.ts'

const EXAMPLE = join(ROOT, 'infra/examples/nereid-backend-wordpiece')
/** Where authors find what is theirs in this package. */
const EXPORTS = {
  './backend': { types: './dist/server/authors/adapters/backends/plugin/types.d.ts' },
  './backend-contract': {
    types: './dist/server/authors/test/contract/for-authors.d.ts',
    default: './dist/server/authors/backend-contract.js',
  },
}

const folder = mkdtempSync(join(tmpdir(), 'nereid-example-'))
const project = join(folder, 'project')
const models = join(folder, 'models')
const backends = join(folder, 'backends')

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

const VOCABULARY = '[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nbad\n##ly\n'
/** What each piece is worth, by id. */
const WORTH = [0, 0, 0, 0, 1, -1, 0.5]

beforeAll(() => {
  cpSync(EXAMPLE, project, { recursive: true })
  const installed = join(project, 'node_modules/nereid-server')
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  put(
    join(installed, 'package.json'),
    JSON.stringify({ ...manifest, exports: { ...manifest.exports, ...EXPORTS } }),
  )
  symlinkSync(join(ROOT, 'dist'), join(installed, 'dist'))
  cpSync(EXAMPLE, join(backends, 'wordpiece'), { recursive: true })

  const score = onnxGraph({
    inputs: [{ name: 'input_ids', type: 'INT64', shape: ['batch', 'length'] }],
    outputs: [{ name: 'score', type: 'FLOAT', shape: ['batch', 1] }],
    nodes: [
      { op: 'Gather', inputs: ['worth', 'input_ids'], output: 'each' },
      { op: 'ReduceSum', inputs: ['each', 'axis'], output: 'score' },
    ],
    constants: { worth: WORTH, axis: [1n] },
  })
  put(join(models, 'score/1/model.onnx'), score)
  put(join(models, 'tokens/1/vocab.txt'), VOCABULARY)
  put(
    join(models, 'tokens/config.pbtxt'),
    'backend: "wordpiece" parameters { key: "max_length" value { string_value: "8" } }',
  )
  put(join(models, 'opinion/1/.keep'), '')
  put(
    join(models, 'opinion/config.pbtxt'),
    `platform: "ensemble"
max_batch_size: 4
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "score" data_type: TYPE_FP32 dims: [ 1 ] } ]
ensemble_scheduling {
  step [
    { model_name: "tokens" model_version: -1 input_map { key: "TEXT" value: "TEXT" } output_map { key: "input_ids" value: "ids" } },
    { model_name: "score" model_version: -1 input_map { key: "input_ids" value: "ids" } output_map { key: "score" value: "score" } }
  ]
}
`,
  )
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

test("the example's own tests pass: what every backend owes", () => {
  const { NODE_OPTIONS: _, ...env } = process.env
  const run = spawnSync(process.execPath, ['--test', '--test-reporter=tap'], {
    cwd: project,
    env,
    encoding: 'utf8',
  })
  expect(run.stdout).toMatch(/^# fail 0$/m)
  expect(run.stdout).toMatch(/^# pass 1[5-9]$/m)
  expect(run.status).toBe(0)
})

test('authors have types', () => {
  put(
    join(project, 'typed.ts'),
    `import type { Batch, BatchDone, PluginFactory } from 'nereid-server/backend'
import { backendCases, openPlugin } from 'nereid-server/backend-contract'
export const backend: PluginFactory = ({ name, ServerError }) => ({
  name,
  defaultModelFilename: '',
  async load({ config }) {
    const size: number = config.max_batch_size ?? 0
    const execute = (batch: Batch, _marks: unknown, done: BatchDone): void => {
      done(new ServerError('UNSUPPORTED', String(batch.size + size)))
    }
    return { instance: async () => ({ execute, close: async () => {} }), close: async () => {} }
  },
})
// @ts-expect-error no such code
export const wrong: PluginFactory = ({ ServerError }) => { throw new ServerError('NO_INK', '') }
export const cases = backendCases({ name: 'x', create: () => openPlugin(backend, 'x'), models: {} })
`,
  )
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const flags = ['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--types', '']
  const run = spawnSync(process.execPath, [tsc, ...flags, 'typed.ts'], {
    cwd: project,
    encoding: 'utf8',
  })
  expect(run.stdout).toBe('')
  expect(run.status).toBe(0)
})

test('it serves: texts become tokens, and in an ensemble with an ONNX model, opinions', async () => {
  const server = await serve([`--model-repository=${models}`, `--backend-directory=${backends}`])
  const infer = async (model: string, texts: readonly string[]) => {
    const input = { name: 'TEXT', datatype: 'BYTES', shape: [texts.length, 1], data: texts }
    const answer = await fetch(`${server.url}/v2/models/${model}/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [input] }),
    })
    return (await answer.json()) as { outputs: { name: string; shape: number[]; data: number[] }[] }
  }
  expect(await infer('tokens', ['Goodly bad'])).toMatchObject({
    outputs: [
      { name: 'attention_mask', shape: [1, 8], data: [1, 1, 1, 1, 1, 0, 0, 0] },
      { name: 'input_ids', shape: [1, 8], data: [2, 4, 6, 5, 3, 0, 0, 0] },
    ],
  })
  expect(await infer('opinion', ['good, good and goodly', 'bad'])).toMatchObject({
    outputs: [{ name: 'score', shape: [2, 1], data: [3.5, -1] }],
  })
  expect(server.log()).toContain(
    `backend 'wordpiece' is a plug-in: ${backends}/wordpiece/index.mjs`,
  )
})

test('nereid check finds it in order once its code may run, and says what it does not know before', async () => {
  const flag = `--backend-directory=${backends}`
  const strict = await start(['check', models, flag, '--load', '--strict']).ended
  expect([strict.out, strict.code]).toEqual(['', 0])
  const plain = await start(['check', models, flag]).ended
  expect(plain.out).toMatch(/^warning: tokens version 1: .*only known when its code runs/m)
  expect(plain.code).toBe(0)
  const elsewhere = await start(['check', models]).ended
  expect(elsewhere.out).toMatch(
    /^error: tokens: unable to find backend library for backend 'wordpiece'/m,
  )
  expect(elsewhere.code).toBe(1)
})

test('nereid inspect prints what the plug-in says of a model', async () => {
  const { out, log, code } = await start([
    'inspect',
    join(models, 'tokens'),
    `--backend-directory=${backends}`,
  ]).ended
  expect(log).toContain('| input  | TEXT')
  expect(out).toContain('name: "attention_mask"')
  expect(out).toContain('max_batch_size: 4')
  expect(code).toBe(0)
})
