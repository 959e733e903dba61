import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { parseConfig } from '../../core/config/pbtxt-parser.ts'
import { ROOT, serve, start, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-commands-'))
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

const FIXTURES = join(ROOT, 'test/fixtures')
const python = join(ROOT, '.cache/python/core/bin/python')
const openvino = join(ROOT, '.cache/python/openvino')
const PYTHON = existsSync(python) ? '' : ` (skipped: there is no ${python})`
const OPENVINO = existsSync(openvino) ? '' : ` (skipped: there is no ${openvino})`

function put(path: string, content: string): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, content)
  return full
}

const run = (...args: string[]) => start(args).ended

const MODEL_PY = `
class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "IN", "data_type": "TYPE_FP32", "dims": [3]})
        config.add_output({"name": "OUT", "data_type": "TYPE_FP32", "dims": [3]})
        config.set_max_batch_size(16)
        return config

    def execute(self, requests):
        return []
`

interface Case {
  readonly file: string
  readonly flags?: readonly string[]
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly skip?: string
}

const CASES: Readonly<Record<string, Case>> = {
  ONNX: { file: 'onnx/tiny_mlp.onnx', inputs: ['x TYPE_FP32 16'], outputs: ['y TYPE_FP32 4'] },
  'a scalar': { file: 'onnx/scalar.onnx', inputs: ['X TYPE_FP32 1'], outputs: ['Y TYPE_FP32 1'] },
  XGBoost: {
    file: 'trees/xgb-regression.ubj',
    inputs: ['input__0 TYPE_FP32 10'],
    outputs: ['output__0 TYPE_FP32 1'],
  },
  LightGBM: {
    file: 'trees/lgb-binary.txt',
    inputs: ['input__0 TYPE_FP32 6'],
    outputs: ['output__0 TYPE_FP32 1'],
  },
  Treelite: {
    file: 'trees/tl-regression.tl',
    inputs: ['input__0 TYPE_FP32 10'],
    outputs: ['output__0 TYPE_FP32 1'],
  },
  TypeScript: {
    file: 'typescript/completed/1/model.ts',
    inputs: ['TEXT TYPE_STRING 1'],
    outputs: ['ANSWER TYPE_STRING 1'],
  },
  Python: {
    file: put('python/model.py', MODEL_PY),
    flags: [`--backend-config=python,python-runtime=${python}`],
    inputs: ['IN TYPE_FP32 3'],
    outputs: ['OUT TYPE_FP32 3'],
    skip: PYTHON,
  },
  OpenVINO: {
    file: 'openvino/tiny_mlp.xml',
    flags: [`--backend-config=openvino,library=${openvino}`],
    inputs: ['x TYPE_FP32 16'],
    outputs: ['y TYPE_FP32 4'],
    skip: OPENVINO,
  },
}

for (const [what, { file, flags = [], inputs, outputs, skip = '' }] of Object.entries(CASES)) {
  test.skipIf(skip !== '')(`inspect prints the config of ${what}${skip}`, async () => {
    const { out, log, code } = await run('inspect', ...flags, resolve(FIXTURES, file))
    expect(log).not.toContain('would not be served')
    const config = parseConfig(out)
    const told = (side: typeof config.input = []): string[] =>
      side.map(({ name, data_type, dims = [] }) => `${name} ${data_type} ${dims.join(',')}`)
    expect(told(config.input)).toEqual(inputs)
    expect(told(config.output)).toEqual(outputs)
    expect(code).toBe(0)
    for (const { name = '' } of config.input ?? [])
      expect(log).toMatch(new RegExp(`input +\\| ${name} `))
  })
}

test('what inspect prints is a config that serves, in a folder of any name', async () => {
  const model = join(folder, 'repository/anything')
  mkdirSync(join(model, '1'), { recursive: true })
  cpSync(join(FIXTURES, 'onnx/add_sub.onnx'), join(model, '1/add_sub.onnx'))
  const { out } = await run('inspect', join(model, '1/add_sub.onnx'))
  writeFileSync(join(model, 'config.pbtxt'), out)
  const server = await serve([`--model-repository=${join(folder, 'repository')}`])
  const config = await (await fetch(`${server.url}/v2/models/anything/config`)).json()
  expect(config).toMatchObject({ default_model_filename: 'add_sub.onnx', max_batch_size: 4 })
})

test('inspect of a model says what is wrong with its config, and prints it nonetheless', async () => {
  const model = join(folder, 'wrong')
  mkdirSync(join(model, '1'), { recursive: true })
  cpSync(join(FIXTURES, 'onnx/tiny_mlp.onnx'), join(model, '1/model.onnx'))
  const wrong = 'input [ { name: "x" data_type: TYPE_FP16 dims: [ 16 ] } ]'
  writeFileSync(
    join(model, 'config.pbtxt'),
    `${wrong} output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]`,
  )
  const { out, log, code } = await run('inspect', model)
  expect(log).toMatch(
    /would not be served.*expects datatype TYPE_FP16 for input 'x', model provides TYPE_FP32/,
  )
  expect(parseConfig(out).input?.[0]?.data_type).toBe('TYPE_FP16')
  expect(code).toBe(1)
})

test('inspect as JSON has the config and what the file says', async () => {
  const { out } = await run('inspect', '--format=json', join(FIXTURES, 'onnx/tiny_mlp.onnx'))
  expect(JSON.parse(out)).toMatchObject({
    subject: 'tiny_mlp.onnx',
    config: { backend: 'onnxruntime' },
    model: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 16] }] },
    problem: '',
  })
})

test.each([
  [['inspect'], /takes one file or folder/, 2],
  [['inspect', 'nowhere.onnx'], /there is no file or folder nowhere.onnx/, 2],
  [['inspect', 'README.md'], /is no kind of model that this server knows.*\.onnx/, 2],
  [['inspect', 'models'], /is a repository of \d+ models: name one.*nereid check models/, 2],
  [['inspect', 'core'], /is no model/, 2],
  [
    ['inspect', '--format=xml', 'models/iris'],
    /--format takes one of pbtxt, table, json, got 'xml'/,
    2,
  ],
  [['inspect', '--no-such-flag', 'models/iris'], /unknown option '--no-such-flag'/, 2],
  [['check'], /takes one or more repositories/, 2],
  [['check', 'nowhere'], /failed to stat file nowhere/, 2],
])('%j is refused with what it lacks', async (args, message, status) => {
  const { out, log, code } = await run(...args)
  expect(log).toMatch(message)
  expect(out).toBe('')
  expect(code).toBe(status)
})

test.each(['inspect', 'check'])('%s tells how it is used', async (command) => {
  const { out, log, code } = await run(command, '--help')
  expect(log).toBe('')
  expect(out).toMatch(new RegExp(`^Usage: nereid ${command} `))
  expect(code).toBe(0)
})

test('check of the sample models finds no error, whether they are loaded or not', async () => {
  const { out, log, code } = await run('check', 'models')
  expect(out).toBe('')
  expect(log).toMatch(/^\d+ models: 0 errors, 0 warnings$/m)
  expect(code).toBe(0)
  const loaded = await run('check', '--load', 'models')
  expect([loaded.out, loaded.code]).toEqual(['', 0])
})

test('check prints a line for each finding, and its status says whether there are errors', async () => {
  const repository = join(folder, 'faults')
  put('faults/bad/config.pbtxt', 'backend: "identity"\nbogus: 1\n')
  put('faults/bad/1/x', '')
  put('faults/warned/1/x', '')
  const config = `backend: "identity"
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 2 ] } ]
optimization { eager_batching: true }
`
  put('faults/warned/config.pbtxt', config)
  const all = await run('check', repository)
  expect(all.out).toMatch(/^error: bad\/config.pbtxt:2:1: .*bogus/m)
  expect(all.out).toMatch(
    /^warning: warned\/config.pbtxt:4:16: optimization.eager_batching has no effect/m,
  )
  expect(all.log).toMatch(/^2 models: [12] errors?, 1 warning$/m)
  expect(all.code).toBe(1)

  rmSync(join(repository, 'bad'), { recursive: true })
  expect((await run('check', repository)).code).toBe(0)
  expect((await run('check', '--strict', repository)).code).toBe(1)

  const { out } = await run('check', '--format=json', repository)
  expect(JSON.parse(out)).toMatchObject({
    models: ['warned'],
    findings: [
      { severity: 'warning', model: 'warned', file: 'warned/config.pbtxt', line: 4, column: 16 },
    ],
  })
  const table = await run('check', '--format=table', repository)
  expect(table.out).toMatch(/^warned\n {2}warning {2}config.pbtxt:4:16 {2}optimization/m)
})

test('check looks at repositories on web servers', async () => {
  put('published/m/1/x', '')
  put('published/m/config.pbtxt', 'backend: "identity"\ninput [ { nmae: "IN" } ]\n')
  const published = join(folder, 'published')
  const manifest = ['--import', 'tsx', join(ROOT, 'infra/manifest.ts'), published]
  execFileSync(process.execPath, manifest, { cwd: ROOT })
  const web = createServer((request, response) => {
    try {
      response.end(readFileSync(join(published, request.url ?? '')))
    } catch {
      response.writeHead(404).end()
    }
  })
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  try {
    const origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
    const cache = `--repository-cache-directory=${join(folder, 'cache')}`
    const { out, code } = await run('check', cache, origin)
    expect(out).toMatch(
      /^error: m\/config.pbtxt:2:11: .*unknown field 'nmae'.*did you mean 'name'/m,
    )
    expect(code).toBe(1)
    const gone = await run('check', cache, `${origin}/nothing`)
    expect(gone.out).toMatch(/^error: failed to poll model repository/m)
    expect(gone.code).toBe(1)
  } finally {
    web.close()
  }
})

test('check --load finds what only a load shows', async () => {
  const repository = join(folder, 'loads')
  put(
    'loads/m/1/model.js',
    'export function initialize() { throw new Error("no ink") }\nexport function execute() {}',
  )
  put(
    'loads/m/config.pbtxt',
    'backend: "typescript" input [ { name: "A" data_type: TYPE_FP32 dims: [ 1 ] } ] output [ { name: "B" data_type: TYPE_FP32 dims: [ 1 ] } ]',
  )
  expect((await run('check', repository)).code).toBe(0)
  const { out, code } = await run('check', '--load', repository)
  expect(out).toMatch(/^error: m version 1: .*no ink/m)
  expect(code).toBe(1)
})
