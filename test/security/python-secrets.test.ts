import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { what } from '../conformance/python-questions/ask.ts'
import { type ChildProcess, childProcesses } from '../drills/child-processes.ts'
import { send } from '../helpers/http.ts'
import { buildServer, ROOT, type Serving, serve, stopAll } from '../targets/child.ts'

/** `test/python/setup.sh core` makes it. */
const PYTHON = join(ROOT, '.cache/python/core/bin/python')
const SHARED = '/dev/shm'
const skip = !existsSync(PYTHON) || !existsSync(SHARED)
if (skip) console.log('secrets of Python workers: skipped, run test/python/setup.sh core on Linux')

const MODELS = fileURLToPath(new URL('../fixtures/python/repository', import.meta.url))
const SERVED = ['misbehave', 'dies_in_execute', 'bls_echo', 'bls', 'error_codes']
const BROKEN = ['fails_in_initialize', 'dies_in_initialize', 'has_no_class', 'fails_on_import']
/** Names that memory between processes has on Linux. */
const MEMORY = /memfd:|\/dev\/shm|\/proc\/\d|nereid-(to|from)|\bfd [345]\b/
const FAILING = [
  ...['raises', 'raises_deeper', 'system_exit', 'empty_list', 'two_for_one', 'a_dictionary'],
  ...['wrong_type', 'wrong_size', 'wrong_rank', 'only_unknown_output', 'complex_numbers'],
  ...['error_of_text', 'a_list_for_an_array', 'no_such_method', 'error_with_outputs'],
]

describe.skipIf(skip)('what clients and the log are told about Python workers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-secrets-'))
  const told: string[] = []
  const workers: ChildProcess[] = []
  let serving: Serving
  let before: readonly string[]

  async function ask(path: string, body: string | object = ''): Promise<number> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await send({ url: `${serving.url}${path}`, method: 'POST', body: text })
    told.push(answer.body.toString())
    return answer.status
  }
  const note = (): void => {
    workers.push(...childProcesses(serving.process.pid ?? 0))
  }
  const dies = (value: number): Promise<number> =>
    ask('/v2/models/dies_in_execute/infer', {
      inputs: [{ name: 'IN', datatype: 'INT32', shape: [1], data: [value] }],
    })

  beforeAll(async () => {
    for (const name of [...SERVED, ...BROKEN]) {
      cpSync(join(MODELS, name), join(folder, name), { recursive: true })
    }
    buildServer()
    before = readdirSync(SHARED)
    serving = await serve([
      `--model-repository=${folder}`,
      '--model-control-mode=explicit',
      ...SERVED.map((name) => `--load-model=${name}`),
      '--allow-client-shm=true',
      '--overload-lag-ms=0',
      `--backend-config=python,python-runtime=${PYTHON}`,
    ])
    note()
  })
  afterAll(async () => {
    await stopAll()
    rmSync(folder, { recursive: true, force: true })
  })

  test('there are workers, and their memory has no name', () => {
    expect(workers.filter(({ name }) => name.startsWith('misbehave'))).toHaveLength(1)
    expect(readdirSync(SHARED).filter((name) => !before.includes(name))).toEqual([])
  })

  test('a worker’s memory cannot be registered by any name that leads to it', async () => {
    const [worker] = workers
    for (const key of [
      `/proc/${worker?.pid}/fd/4`,
      `../proc/${worker?.pid}/fd/4`,
      `/../proc/${worker?.pid}/fd/5`,
      `/proc/${serving.process.pid}/fd/20`,
      '/memfd:nereid',
      'memfd:nereid (deleted)',
    ]) {
      const name = encodeURIComponent('stolen')
      const path = `/v2/systemsharedmemory/region/${name}/register`
      expect(await ask(path, { key, offset: 0, byte_size: 64 }), key).not.toBe(200)
    }
    told.length = 0
  })

  test('bytes that would be code for another reader stay bytes', async () => {
    const proof = join(folder, 'unpickled')
    const pickled = `cos\nsystem\n(S'touch ${proof}'\ntR.`
    const texts = [pickled, `__import__('os').system('touch ${proof}')`, `$(touch ${proof})`]
    const inputs = [{ name: 'WHAT', datatype: 'BYTES', shape: [texts.length], data: texts }]
    const answer = await send({
      url: `${serving.url}/v2/models/bls_echo/infer`,
      method: 'POST',
      body: JSON.stringify({
        id: `$(touch ${proof})`,
        parameters: { [`\`touch ${proof}\``]: pickled },
        inputs,
      }),
    })
    expect(JSON.parse(answer.body.toString()).outputs[0].data).toEqual(texts)
    expect(existsSync(proof)).toBe(false)
  })

  test('no error and no line of the log has a name, a path or a process of theirs', async () => {
    for (const { path, body } of what('errors', 'misbehave', ...FAILING)) {
      await ask(path, body?.text)
    }
    for (const { path, body } of what('bls', 'bls', 'exception_of_a_model', 'unknown_model')) {
      await ask(path, body?.text)
    }
    for (const name of BROKEN) expect(await ask(`/v2/repository/models/${name}/load`)).not.toBe(200)
    expect(await dies(-3)).not.toBe(200)
    note()
    while ((await dies(1)) !== 200) note()
    for (const { pid } of childProcesses(serving.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
    await ask('/v2/models/misbehave/infer', '{')
    while ((await dies(1)) !== 200) note()
    note()
    await ask('/v2/repository/index', {})
    const all = [...told, serving.log()]
    expect(all.join('\n')).toContain('a value that is wrong')
    expect(all.flatMap((text) => MEMORY.exec(text)?.[0] ?? [])).toEqual([])
    // A line of the log begins with a time and the server's own process.
    const texts = all.join('\n').replace(/^[EWI]\d{4} [\d:.]+ \d+ /gm, '')
    const pids = new Set(workers.map(({ pid }) => pid))
    expect([...pids].filter((pid) => new RegExp(`\\b${pid}\\b`).test(texts))).toEqual([])
  })
})
