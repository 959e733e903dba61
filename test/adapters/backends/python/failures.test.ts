import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ask, floats, told } from './asks.ts'
import { IDENTITY } from './models.ts'
import { MISSING, serveModels, until } from './rig.ts'

const IO = `
  input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
  output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
  instance_group [ { kind: KIND_CPU } ]
`
const identity = { config: IO, code: IDENTITY }
const parameter = (key: string, value: string): string =>
  `parameters { key: "${key}" value { string_value: "${value}" } }`

/** Does what its first number says, in place of answering. */
const BAD = `
import os, signal, sys, time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        x = pb_utils.get_input_tensor_by_name(requests[0], "X").as_numpy()
        if x[0] == 1: os.kill(os.getpid(), signal.SIGKILL)
        if x[0] == 2: os._exit(3)
        if x[0] == 3:
            while True: pass
        if x[0] == 4:
            kept = []
            while True: kept.append(b"x" * 10_000_000)
        if x[0] == 5:
            for i in range(20_000): print("line", i, "z" * 100)
        if x[0] == 6: raise ValueError("no sixes")
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]) for _ in requests]
`

/** Children of this process, those that ended and were not waited for included. */
function children(): number {
  const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim()
  return text === '' ? 0 : text.split(' ').length
}

describe.skipIf(MISSING !== undefined)(`failing models in Python (${MISSING ?? ''})`, () => {
  for (const [how, first, text] of [
    ['is killed', 1, 'SIGKILL'],
    ['exits', 2, 'exit code 3'],
  ] as const) {
    test(`a worker that ${how} fails what it ran, and serves again`, async () => {
      const serving = await serveModels({ bad: { config: IO, code: BAD }, identity })
      const failed = await told(ask(serving, 'bad', [floats('X', [first])]))
      expect(failed).toBe(
        "INTERNAL Failed to process the request(s) for model instance 'bad_0_0', message: Stub process 'bad_0_0' is not healthy.",
      )
      expect(await told(ask(serving, 'identity', [floats('X', [5, 6])]))).toEqual([5, 6])
      expect(await told(ask(serving, 'bad', [floats('X', [0, 7])]))).toEqual([0, 7])
      expect(serving.logged.join('\n')).toContain(text)
    })
  }

  test('an exception fails its batch with its traceback, and nothing else', async () => {
    const serving = await serveModels({ bad: { config: IO, code: BAD } })
    const failed = await told(ask(serving, 'bad', [floats('X', [6])]))
    expect(failed).toMatch(
      /^INTERNAL Failed to process the request\(s\) for model 'bad_0_0', message: ValueError: no sixes/,
    )
    expect(await told(ask(serving, 'bad', [floats('X', [0, 7])]))).toEqual([0, 7])
    expect(serving.logged.join('\n')).not.toContain('restarted')
  })

  test('a busy loop ends with execution_timeout_ms, and other models are served meanwhile', async () => {
    const config = IO + parameter('execution_timeout_ms', '500')
    const serving = await serveModels({ bad: { config, code: BAD }, identity })
    const looping = ask(serving, 'bad', [floats('X', [3])])
    expect(await told(ask(serving, 'identity', [floats('X', [5, 6])]))).toEqual([5, 6])
    expect(looping.answers).toEqual([])
    expect(await told(looping)).toContain('is not healthy')
    expect(serving.logged.join('\n')).toContain(
      'it ran longer than execution_timeout_ms, which is 500',
    )
    expect(await told(ask(serving, 'bad', [floats('X', [0, 7])]))).toEqual([0, 7])
  })

  test('a model that takes more than memory_limit_mb is named and restarted', async () => {
    const config = IO + parameter('memory_limit_mb', '300')
    const serving = await serveModels({ bad: { config, code: BAD }, identity })
    expect(await told(ask(serving, 'bad', [floats('X', [4])]))).toContain('is not healthy')
    expect(serving.logged.join('\n')).toContain('it ran out of memory, memory_limit_mb is 300')
    expect(await told(ask(serving, 'bad', [floats('X', [0, 7])]))).toEqual([0, 7])
  })

  test('a flood of prints is cut, and says so', async () => {
    const serving = await serveModels({ bad: { config: IO, code: BAD } })
    expect(await told(ask(serving, 'bad', [floats('X', [5])]))).toEqual([5])
    await until(() => serving.logged.some((line) => line.includes('more lines were not logged')))
    const lines = serving.logged.filter((line) => line.includes('bad_0_0: line'))
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.length).toBeLessThan(1_000)
  })

  test('a model that exits in initialize is not loaded, and says so in the index', async () => {
    const code = `import os
class TritonPythonModel:
    def initialize(self, args): os._exit(7)
    def execute(self, requests): return []
`
    const raising = `class TritonPythonModel:
    def initialize(self, args): raise RuntimeError("not today")
    def execute(self, requests): return []
`
    const { server } = await serveModels({
      exits: { config: IO, code },
      raises: { config: IO, code: raising },
      identity,
    })
    const index = await server.index(false)
    const reason = (name: string) => index.find((entry) => entry.name === name)?.reason
    expect(reason('exits')).toContain('it ended with exit code 7')
    expect(reason('raises')).toContain('RuntimeError: not today')
    expect(server.modelReady('identity', '')).toBe(true)
  })

  test('workers that are killed under load leave nothing behind', async () => {
    const others = children()
    const serving = await serveModels({ bad: { config: IO, code: BAD } })
    const fds = (): number => readdirSync('/proc/self/fd').length
    await told(ask(serving, 'bad', [floats('X', [0])]))
    const before = fds()
    for (let round = 0; round < 3; round++) {
      const asked = Array.from({ length: 20 }, (_, i) =>
        ask(serving, 'bad', [floats('X', [i === 5 ? 1 : 0, i])]),
      )
      const answers = await Promise.all(asked.map(told))
      expect(answers.filter((answer) => typeof answer === 'string').length).toBe(1)
    }
    expect(fds()).toBeLessThanOrEqual(before + 2)
    await serving.server.close(5_000)
    await until(() => children() === others)
  })
})
