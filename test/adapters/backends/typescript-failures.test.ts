import { afterAll, describe, expect, test } from 'vitest'
import { until } from '../../helpers/until.ts'
import { ask, buildWorker, type Serving, serveModels, text, told } from './typescript-rig.ts'

const { worker, remove } = buildWorker()
afterAll(remove)

const MOODY = `
max_batch_size: 4
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "ANSWER" data_type: TYPE_STRING dims: [ 1 ] } ]
parameters { key: "execution_timeout_ms" value { string_value: "1000" } }
parameters { key: "memory_limit_mb" value { string_value: "48" } }
`
const two = 'instance_group [ { count: 2 kind: KIND_CPU } ]'

const say = (serving: Serving, word: string) => told(ask(serving, 'moody', [text([word])]))

describe('a model in TypeScript that fails', () => {
  test.each([
    ['loop', /^INTERNAL model 'moody' failed.*longer than execution_timeout_ms, which is 1000$/],
    ['exit', /^INTERNAL model 'moody' failed and is restarted: it ended with exit code 3$/],
    ['leak', /^INTERNAL model 'moody' failed.*out of memory, memory_limit_mb is 48$/],
  ])('%s: its request fails, the next is served by a new instance', async (word, message) => {
    // Memory may take longer to run out than a loop is waited for.
    const moody = word === 'loop' ? MOODY : MOODY.replace('"1000"', '"60000"')
    const serving = await serveModels(worker, { moody })
    expect(await say(serving, 'x')).toBe('moody_0 1')
    expect(await say(serving, 'y')).toBe('moody_0 2')
    expect(await say(serving, word)).toMatch(message)
    expect(serving.server.modelReady('moody', '')).toBe(false)
    expect(serving.server.modelReady('echo', '')).toBe(true)
    expect(await say(serving, 'z')).toBe('moody_0 1')
    expect(serving.server.modelReady('moody', '')).toBe(true)
    expect(serving.logged.join('\n')).toContain("model 'moody' version 1 was restarted")
  })

  test('while one instance loops, another one serves', async () => {
    const serving = await serveModels(worker, { moody: `${MOODY}${two}` })
    const looping = ask(serving, 'moody', [text(['loop'])])
    for (let i = 0; i < 20; i++) expect(await say(serving, 'x')).toMatch(/^moody_0_[01] /)
    expect(looping.answers).toEqual([])
    expect(serving.server.modelReady('moody', '')).toBe(true)
    expect(await told(looping)).toMatch(/^INTERNAL model 'moody' failed/)
  })

  test('what it throws is told with its name, and nothing is restarted', async () => {
    const serving = await serveModels(worker, { moody: MOODY })
    expect(await say(serving, 'throw')).toBe("INTERNAL model 'moody': a bad day")
    expect(await say(serving, 'x')).toBe('moody_0 2')
  })

  test.each([
    ['late', 'uncaught Error: too late'],
    ['null', 'uncaught null'],
    ['forge', 'it sent a message that cannot be read'],
  ])('an error outside any request (%s) is a crash', async (word, reason) => {
    const serving = await serveModels(worker, { moody: MOODY })
    await say(serving, word)
    await until(() => serving.logged.join().includes('was restarted'))
    expect(serving.logged.join()).toContain(reason)
    expect(await say(serving, 'x')).toBe('moody_0 1')
  })

  test('an error among answers is for its request alone', async () => {
    const batching = 'dynamic_batching { max_queue_delay_microseconds: 100000 }'
    const serving = await serveModels(worker, { moody: `${MOODY}${batching}` })
    const asked = ['a', 'refuse', 'rows', 'b'].map((word) => ask(serving, 'moody', [text([word])]))
    expect(await Promise.all(asked.map(told))).toEqual([
      'moody_0 1',
      'INVALID_ARG not this one',
      "INTERNAL wrong answer: output 'ANSWER' has 2 rows, its request 1",
      'moody_0 1',
    ])
    const { success, fail } = serving.server.statistics('moody')[0]?.stats ?? {}
    expect(success?.count).toBe(2)
    expect(fail?.count).toBe(2)
  })

  test.each([
    ['unknown', /wrong answer: the config has no output 'OTHER'/],
    ['type', /wrong answer: tensor 'ANSWER' holds a number/],
  ])('an answer of no use (%s) is an error that says why', async (word, message) => {
    const serving = await serveModels(worker, { moody: MOODY })
    expect(await say(serving, word)).toMatch(message)
  })

  test('among many requests, exactly those fail that are the reason', async () => {
    const alone = MOODY.replace('max_batch_size: 4', 'max_batch_size: 1')
    const serving = await serveModels(worker, { moody: `${alone}${two}` })
    const words = Array.from({ length: 200 }, (_, i) => {
      return i % 40 === 17 ? 'exit' : i % 10 === 3 ? 'throw' : 'x'
    })
    const answers = new Map<string, string[]>()
    const clients = Array.from({ length: 8 }, async () => {
      for (let word = words.pop(); word !== undefined; word = words.pop()) {
        answers.set(word, [...(answers.get(word) ?? []), await say(serving, word)])
      }
    })
    await Promise.all(clients)
    for (const one of answers.get('x') ?? []) expect(one).toMatch(/^moody_0_[01] \d+$/)
    for (const one of answers.get('throw') ?? []) expect(one).toMatch(/a bad day$/)
    for (const one of answers.get('exit') ?? []) expect(one).toMatch(/exit code 3$/)
    expect(answers.get('exit')).toHaveLength(5)
    expect(serving.server.inflight).toBe(0)
  })

  test('one that does not come back is tried again, and says why until it does', async () => {
    const serving = await serveModels(worker, { moody: MOODY })
    process.env['MOODY_RELAPSE'] = 'yes'
    try {
      expect(await say(serving, 'exit')).toMatch(/^INTERNAL/)
      expect(await say(serving, 'x')).toMatch(
        /^UNAVAILABLE model 'moody' is being restarted: .*cannot be initialized: not again$/,
      )
      expect(serving.server.modelReady('moody', '')).toBe(false)
    } finally {
      delete process.env['MOODY_RELAPSE']
    }
    await until(() => serving.server.modelReady('moody', ''))
    expect(await say(serving, 'x')).toBe('moody_0 1')
  })

  test('a client that leaves while its model is down is not waited for', async () => {
    const serving = await serveModels(worker, { moody: MOODY })
    await say(serving, 'exit')
    const asked = ask(serving, 'moody', [text(['x'])])
    asked.request.cancel()
    expect(await told(asked)).toMatch(/^CANCELLED/)
    expect(serving.server.modelReady('moody', '')).toBe(false)
  })

  test('messages of its own do the server no harm', async () => {
    const serving = await serveModels(worker, { moody: MOODY })
    await say(serving, 'nonsense')
    expect(await say(serving, 'x')).toBe('moody_0 2')
  })

  test('a server closes while an instance is being restarted', async () => {
    const serving = await serveModels(worker, { moody: MOODY })
    await say(serving, 'exit')
    await serving.server.close(5000)
    expect(serving.logged.join('\n')).toContain("successfully unloaded 'moody'")
  })
})
