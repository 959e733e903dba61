import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { NO_REDIS, type TestRedis, testRedis } from '../helpers/redis.ts'
import { buildServer, type Serving, serve, start, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-cache-'))

beforeAll(() => {
  buildServer()
  mkdirSync(join(folder, 'echo', '1'), { recursive: true })
  writeFileSync(
    join(folder, 'echo', 'config.pbtxt'),
    `backend: "identity"
input [{ name: "IN" data_type: TYPE_INT32 dims: [ 1 ] }]
output [{ name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] }]
response_cache { enable: true }
`,
  )
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

async function infer(server: Serving, value: number): Promise<number> {
  const answer = await fetch(`${server.url}/v2/models/echo/infer`, {
    method: 'POST',
    body: `{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[${value}]}]}`,
  })
  const body = (await answer.json()) as { outputs: { data: number[] }[] }
  return body.outputs[0]!.data[0]!
}

async function hitsAndMisses(server: Serving): Promise<readonly number[]> {
  const answer = await fetch(`${server.url}/v2/models/echo/stats`)
  const { model_stats } = (await answer.json()) as {
    model_stats: { inference_stats: Record<string, { count: number }> }[]
  }
  const stats = model_stats[0]!.inference_stats
  return [stats['cache_hit']!.count, stats['cache_miss']!.count]
}

test('--cache-config=local answers a second time without running, and metrics tell what it holds', async () => {
  const server = await serve([`--model-repository=${folder}`, '--cache-config=local,size=1048576'])
  for (const value of [1, 2, 1, 1]) expect(await infer(server, value)).toBe(value)
  expect(await hitsAndMisses(server)).toEqual([2, 2])
  const metrics = await (await fetch(server.metricsUrl)).text()
  expect(metrics).toMatch(/^nv_cache_num_hits_per_model\{model="echo",version="1"\} 2$/m)
  expect(metrics).toMatch(/^nereid_cache_entries 2$/m)
  expect(server.log()).toMatch(/cache_enabled +\| 1 /)
})

test('a cache that does not exist, or a second one, ends the start with a reason', async () => {
  const redis = ['--cache-config=redis,host=127.0.0.1', '--cache-config=redis,port=1']
  for (const [flags, reason] of [
    [['--cache-config=disk,size=1'], "unable to find cache 'disk', this server has: local, redis"],
    [['--cache-config=local,size=1', ...redis], 'found multiple cache configurations'],
    [
      [...redis, '--cache-config=redis,tls_enabled=true', '--cache-config=redis,cacert=/nope'],
      '/nope',
    ],
  ] as const) {
    const { code, log } = await start([`--model-repository=${folder}`, ...flags]).ended
    expect(code).toBe(1)
    expect(log).toContain(reason)
  }
})

describe.skipIf(NO_REDIS !== undefined)('--cache-config=redis', () => {
  let redis: TestRedis
  const flags = (): string[] => [
    `--model-repository=${folder}`,
    '--cache-config=redis,host=127.0.0.1',
    `--cache-config=redis,port=${redis.port}`,
    // A busy machine is no reason to run.
    '--cache-config=redis,socket_timeout=30000',
  ]
  afterEach(() => redis.stop())

  test('answers one server with what another one computed; credentials come from the environment', async () => {
    redis = await testRedis()
    await redis.start('--requirepass', 'secret')
    const env = { TRITONCACHE_REDIS_PASSWORD: 'secret' }
    const [one, other] = [await serve(flags(), env), await serve(flags(), env)]
    await infer(one, 1)
    expect(await infer(other, 1)).toBe(1)
    expect(await hitsAndMisses(other)).toEqual([1, 0])
    expect(one.log()).not.toContain('secret')
  })

  test('without Redis no request fails; it is said once when it is gone and once when it is back', async () => {
    redis = await testRedis()
    const server = await serve(flags())
    for (let i = 0; i < 3; i++) expect(await infer(server, 1)).toBe(1)
    await redis.start()
    await server.line(/connected to redis at/)
    await infer(server, 2)
    await infer(server, 2)
    expect((await hitsAndMisses(server))[0]).toBe(1)
    await redis.kill()
    await server.line(/going on without it[\s\S]*going on without it/)
    for (let i = 0; i < 3; i++) expect(await infer(server, 3)).toBe(3)
    expect(server.log().match(/going on without it/g)).toHaveLength(2)
  })
})
