import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildServer, ROOT, type Serving, serve, start, stopAll } from './child.ts'

const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const missing = existsSync(PYTHON)
  ? undefined
  : 'no Python with numpy: run test/python/setup.sh core'
if (missing !== undefined) console.log(`skipped: digests of models in Python: ${missing}`)

const folder = mkdtempSync(join(tmpdir(), 'nereid-listed-'))
let models = ''
let list = ''
let cache = ''
let count = 0
beforeAll(buildServer)
beforeEach(() => {
  const place = join(folder, `${count++}`)
  models = join(place, 'models')
  list = join(place, 'models.sha256')
  cache = join(place, 'cache')
  mkdirSync(models, { recursive: true })
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const put = (path: string, text: string): void => {
  mkdirSync(join(models, path, '..'), { recursive: true })
  writeFileSync(join(models, path), text)
}
/** As the server's page says. */
const sign = (): void => {
  const command = `sha256sum $(find . -type f) > ${list}`
  execFileSync('sh', ['-c', command], { cwd: models })
}
const flags = (...more: string[]): string[] => [
  `--model-repository=${models}`,
  `--model-digest-file=${list}`,
  `--repository-cache-directory=${cache}`,
  '--model-control-mode=explicit',
  ...more,
]
async function load(server: Serving, model: string): Promise<string> {
  const url = `${server.url}/v2/repository/models/${model}/load`
  const answer = await fetch(url, { method: 'POST', body: '{}' })
  return answer.ok ? 'loaded' : ((await answer.json()) as { error: string }).error
}

const CODE = `
import os
import helper
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", helper.answer(r))]) for r in requests]
`
const HELPER = (add: number): string => `
import triton_python_backend_utils as pb_utils
def answer(request):
    return pb_utils.get_input_tensor_by_name(request, "IN").as_numpy() + ${add}
`
const CONFIG = `
backend: "python"
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 1 ] } ]`

test.skipIf(missing !== undefined)(
  'the code of a Python model, and what it imports, is what was listed, whatever is written over it',
  { timeout: 60_000 },
  async () => {
    put('adds/config.pbtxt', CONFIG)
    put('adds/1/model.py', CODE)
    put('adds/1/helper.py', HELPER(1))
    sign()
    const server = await serve(flags(`--backend-config=python,python-runtime=${PYTHON}`))
    const ask = async (): Promise<unknown> => {
      const body = { inputs: [{ name: 'IN', datatype: 'FP32', shape: [1], data: [1] }] }
      const url = `${server.url}/v2/models/adds/infer`
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
      return ((await answer.json()) as { outputs?: { data: unknown }[] }).outputs?.[0]?.data
    }
    expect(await load(server, 'adds')).toBe('loaded')
    expect(await ask()).toEqual([2])
    put('adds/1/helper.py', HELPER(100))
    expect(await load(server, 'adds')).toContain("'adds/1/helper.py' of ")
    expect(await ask()).toEqual([2])
    sign()
    expect(await load(server, 'adds')).toBe('loaded')
    expect(await ask()).toEqual([101])
    put('adds/1/unknown.py', '')
    expect(await load(server, 'adds')).toContain("'adds/1/unknown.py' of ")
  },
)

test('copies go with their models, with the server, and after a kill with the next one', async () => {
  cpSync(join(ROOT, 'models/digits'), join(models, 'digits'), { recursive: true })
  sign()
  const copies = (): string[] => readdirSync(join(cache, 'verified'))
  const unload = (server: Serving): Promise<Response> =>
    fetch(`${server.url}/v2/repository/models/digits/unload`, { method: 'POST', body: '{}' })
  const first = await serve(flags('--load-model=digits'))
  expect(copies()).toHaveLength(1)
  expect((await unload(first)).ok).toBe(true)
  await expect.poll(copies).toEqual([])
  expect(await load(first, 'digits')).toBe('loaded')
  first.process.kill('SIGKILL')
  await first.ended
  const [left] = copies()
  const second = await serve(flags('--load-model=digits'))
  expect(copies()).toHaveLength(1)
  expect(copies()).not.toContain(left)
  second.process.kill('SIGTERM')
  expect((await second.ended).code).toBe(0)
  expect(copies()).toEqual([])
})

test('a list that cannot be used keeps the server from starting', async () => {
  writeFileSync(list, 'nonsense\n')
  const { code, log } = await start(flags()).ended
  expect(code).toBe(1)
  expect(log).toContain(`cannot use --model-digest-file '${list}': line 1 is no line of sha256sum`)
})
