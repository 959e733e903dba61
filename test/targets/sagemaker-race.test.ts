import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { afterAll, expect, test } from 'vitest'
import { isLinearizable, type Operation } from '../helpers/linearizable.ts'
import { buildServer, ROOT, start, stopAll } from './child.ts'

const MODELS = 8
const CLIENTS = 8
/** Longer runs: `RACE_SECONDS=300`. */
const SECONDS = Number(process.env['RACE_SECONDS'] ?? 8)
const SEED = Number(process.env['RACE_SEED'] ?? Date.now() % 2 ** 31)

const folder = mkdtempSync(join(tmpdir(), 'nereid-race-'))
afterAll(async () => {
  await stopAll()
  rmSync(folder, { recursive: true, force: true })
})

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

type Kind = 'load' | 'unload' | 'get' | 'invoke'
/** Which models an answer says there were before and after, by its status; anything else is a fault. */
const MEANING: Readonly<Record<Kind, Readonly<Record<number, readonly [boolean, boolean]>>>> = {
  load: { 200: [false, true], 409: [true, true] },
  unload: { 200: [true, false], 404: [false, false] },
  get: { 200: [true, true], 404: [false, false] },
  invoke: { 200: [true, true], 404: [false, false] },
}

test('whatever clients load, unload and ask at once, each model is there or not, and answers right or not at all', {
  timeout: SECONDS * 1000 + 120_000,
}, async () => {
  console.log(`sagemaker race: seed ${SEED}, ${SECONDS} s`)
  buildServer()
  const hashes = Array.from({ length: MODELS }, (_, i) => `model${i}`)
  for (const hash of hashes) {
    mkdirSync(join(folder, hash, 'model'), { recursive: true })
    cpSync(join(ROOT, 'models/iris'), join(folder, hash, 'model/iris'), { recursive: true })
  }
  const flags = `--sagemaker-address=127.0.0.1 --sagemaker-models-folder=${folder} --overload-lag-ms=0`
  const env = {
    SAGEMAKER_MULTI_MODEL: 'true',
    SAGEMAKER_BIND_TO_PORT: '0',
    SAGEMAKER_TRITON_ADDITIONAL_ARGS: flags,
  }
  const server = start([], env, join(ROOT, 'dist/server/serve.js'))
  const [, address] = await server.line(/Started Sagemaker HTTPService at (127\.0\.0\.1:\d+)"/)
  const url = `http://${address}/models`
  const fixture = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/models/iris.json'), 'utf8'))
  const rows: number[][] = fixture.inputs.features
  const labels: string[] = fixture.versions[1].label

  const faults: string[] = []
  const histories = new Map<string, Operation[]>(hashes.map((hash) => [hash, []]))
  const counts: Record<string, number> = {}
  const ask: Record<Kind, (hash: string, row: number) => Promise<Response>> = {
    load: (hash) => {
      const body = JSON.stringify({ model_name: hash, url: `${folder}/${hash}/model` })
      return fetch(url, { method: 'POST', body })
    },
    unload: (hash) => fetch(`${url}/${hash}`, { method: 'DELETE' }),
    get: (hash) => fetch(`${url}/${hash}`),
    invoke: (hash, row) => {
      const data = rows[row]
      const inputs = [{ name: 'features', datatype: 'FP32', shape: [1, 4], data }]
      return fetch(`${url}/${hash}/invoke`, { method: 'POST', body: JSON.stringify({ inputs }) })
    },
  }
  const end = performance.now() + SECONDS * 1000

  async function client(random: (below: number) => number): Promise<void> {
    while (performance.now() < end) {
      const hash = hashes[random(MODELS)] as string
      const kind = (['load', 'unload', 'get', 'invoke', 'invoke', 'invoke'] as const)[
        random(6)
      ] as Kind
      const row = random(rows.length)
      const begin = performance.now()
      const answer = await ask[kind](hash, row)
      const text = await answer.text()
      const finish = performance.now()
      counts[`${kind} ${answer.status}`] = (counts[`${kind} ${answer.status}`] ?? 0) + 1
      const meaning = MEANING[kind][answer.status]
      if (meaning === undefined) faults.push(`${kind} ${hash}: ${answer.status} ${text}`)
      else {
        const [before, after] = meaning
        histories.get(hash)?.push({ start: begin, end: finish, before, after })
      }
      if (kind === 'invoke' && answer.status === 200) {
        const { model_name, outputs } = JSON.parse(text)
        const label = outputs.find((one: { name: string }) => one.name === 'label').data[0]
        if (model_name !== hash || label !== labels[row]) faults.push(`${hash}: ${text}`)
      }
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(randomOf(SEED + i))))
  console.log(`sagemaker race: ${JSON.stringify(counts)}`)

  expect(faults).toEqual([])
  for (const [hash, history] of histories) {
    expect([hash, isLinearizable(history, false)]).toEqual([hash, true])
  }
  for (const hash of hashes) await ask.unload(hash, 0)
  expect(await (await fetch(url)).json()).toEqual({ models: [] })
  expect((await ask.load('model0', 0)).status).toBe(200)
  server.process.kill('SIGTERM')
  expect((await server.ended).code).toBe(0)
})
