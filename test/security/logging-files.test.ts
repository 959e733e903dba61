import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Serving, serve } from '../helpers/serve.ts'

// CVE-2024-0087, CVE-2024-0100: a log or trace file that the network chooses lets it append to any file.
const folder = mkdtempSync(join(tmpdir(), 'nereid-log-'))
const victim = join(folder, 'authorized_keys')
let serving: Serving

beforeAll(async () => {
  writeFileSync(victim, 'mine\n')
  serving = await serve()
})
afterEach(() => {
  expect(readdirSync(folder)).toEqual(['authorized_keys'])
  expect(readFileSync(victim, 'utf8')).toBe('mine\n')
})
afterAll(async () => {
  await serving.close()
  rmSync(folder, { recursive: true })
})

async function post(path: string, body: object): Promise<[number, unknown]> {
  const reply = await fetch(`${serving.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  return [reply.status, await reply.json()]
}
const places = [victim, join(folder, 'new.log'), '../new.log', '']

test.each(places)('the network cannot choose the log file %j', async (file) => {
  const before = await (await fetch(`${serving.url}/v2/logging`)).text()
  expect(await post('/v2/logging', { log_file: file, log_verbose_level: 1 })).toEqual([
    501,
    { error: 'log file location can not be updated through network protocol' },
  ])
  expect(await (await fetch(`${serving.url}/v2/logging`)).text()).toBe(before)
})

test.each(places)('the network cannot choose the trace file %j', async (file) => {
  for (const path of ['/v2/trace/setting', '/v2/models/echo/trace/setting']) {
    const body = { trace_file: file, trace_level: ['TIMESTAMPS'], trace_rate: '1' }
    expect((await post(path, body))[0]).toBe(501)
    const settings = await (await fetch(`${serving.url}${path}`)).json()
    expect(settings).toMatchObject({ trace_file: '', trace_level: ['OFF'] })
  }
  // What would be traced now is not written anywhere either.
  const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [1] }]
  expect((await post('/v2/models/echo/infer', { inputs }))[0]).toBe(200)
})
