import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import type { ServerOptions } from '../../core/server-options.ts'
import { turns } from '../core/repository/harness.ts'
import { echoRequest, inferBytes } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'
import { until } from '../helpers/until.ts'
import { type ServedVersions, serveVersions, versioned } from '../traffic/served-versions.ts'
import { type Way, waysOf } from '../traffic/ways.ts'

let serving: ServedVersions
let ways: readonly Way[] = []

interface Setup {
  /** Bytes by model name. */
  readonly models: Readonly<Record<string, number>>
  readonly budget?: number
  readonly pinned?: readonly string[]
  readonly extra?: string
  readonly ensembles?: Readonly<Record<string, string>>
  readonly options?: ServerOptions
}

async function serve(setup: Setup): Promise<ServedVersions> {
  const { budget = 0, pinned = [], extra = '' } = setup
  const models = Object.fromEntries(
    Object.entries(setup.models).map(([name, bytes]) => [
      name,
      versioned(
        `parameters [ { key: "nereid_memory_bytes" value { string_value: "${bytes}" } } ] ${extra}`,
      ),
    ]),
  )
  serving = await serveVersions({
    models: { ...models, ...setup.ensembles },
    versions: [1],
    options: { loadOnDemand: { budget, pinned }, ...setup.options },
  })
  ways = waysOf(serving)
  return serving
}

afterEach(async () => {
  for (const way of ways) way.close()
  await serving.close()
})

const figures = (model: string) =>
  serving.server.onDemand?.figures.find((one) => one.model === model)
const loaded = (): string[] =>
  (serving.server.onDemand?.figures ?? []).flatMap((one) => (one.loaded ? [one.model] : [])).sort()

async function get(path: string): Promise<{ status: number; json: unknown }> {
  const { status, body } = await send({ url: `${serving.url}/v2/${path}` })
  return { status, json: body.length === 0 ? null : JSON.parse(body.toString()) }
}

/** A model that only hands its input on to `step`. */
const around = (step: string): string => `platform: "ensemble" max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling { step [ { model_name: "${step}" model_version: -1
  input_map { key: "INPUT0" value: "INPUT0" } output_map { key: "OUTPUT0" value: "OUTPUT0" } } ] }`

describe('a model on demand', () => {
  it('is loaded by its first request, whichever way it comes', async () => {
    await serve({ models: { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 } })
    expect(loaded()).toEqual([])
    for (const [i, way] of ways.entries()) {
      const name = 'abcde'[i] as string
      expect(await way.infer(name), way.name).toBe(1)
      expect(await way.infer(name), way.name).toBe(1)
      expect(figures(name)).toMatchObject({ loaded: true, loads: 1 })
    }
    expect(loaded()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('is loaded once for all who ask for it at the same time', async () => {
    await serve({ models: { a: 1 } })
    const answers = await Promise.all(
      ways.flatMap((way) => Array.from({ length: 8 }, () => way.infer('a'))),
    )
    expect(new Set(answers)).toEqual(new Set([1]))
    expect(figures('a')).toMatchObject({ loads: 1 })
  })

  it('is ready, and listed without a state, before it is loaded; metadata and config load it', async () => {
    await serve({ models: { a: 1, b: 1 } })
    expect(serving.server.ready()).toBe(true)
    expect((await get('models/a/ready')).status).toBe(200)
    expect((await get('models/a/versions/1/ready')).status).toBe(200)
    expect((await get('models/a/versions/2/ready')).status).toBe(400)
    const index = await send({ url: `${serving.url}/v2/repository/index`, method: 'POST' })
    expect(JSON.parse(index.body.toString())).toEqual([{ name: 'a' }, { name: 'b' }])
    expect(loaded()).toEqual([])
    expect((await get('models/a')).json).toMatchObject({ name: 'a', versions: ['1'] })
    expect((await get('models/b/config')).json).toMatchObject({ name: 'b', max_batch_size: 8 })
    expect(loaded()).toEqual(['a', 'b'])
  })

  it('that is in no repository is as unknown as ever', async () => {
    await serve({ models: { a: 1 } })
    for (const way of ways) {
      await expect(way.infer('nope'), way.name).rejects.toThrow("'nope' is not found")
    }
    expect((await get('models/nope/ready')).status).toBe(400)
    expect((await get('models/nope')).status).toBe(404)
  })

  it('that cannot be loaded says why to all who wait, and is not tried again at once', async () => {
    await serve({ models: { a: 1 } })
    serving.files.delete('a/1/model')
    for (const way of ways) {
      await expect(way.infer('a'), way.name).rejects.toThrow(
        "Request for unknown model: 'a' could not be loaded: load failed for model 'a'",
      )
    }
    expect((await get('models/a/ready')).status).toBe(400)
    expect(serving.logged.filter((line) => line.includes("loading 'a' on demand"))).toHaveLength(1)
  })

  it('brings the models along that it is made of', async () => {
    await serve({ models: { a: 1 }, ensembles: { whole: around('a') } })
    for (const way of ways) expect(await way.infer('whole'), way.name).toBe(1)
    expect(loaded()).toEqual(['a', 'whole'])
  })
})

describe('a memory budget', () => {
  it('makes room by what was used longest ago', async () => {
    await serve({ models: { a: 40, b: 40, c: 40 }, budget: 100 })
    for (const way of ways) {
      await way.infer('a')
      await way.infer('b')
      await way.infer('a')
      await way.infer('c')
      expect(loaded(), way.name).toEqual(['a', 'c'])
    }
    const index = await send({ url: `${serving.url}/v2/repository/index`, method: 'POST' })
    expect(JSON.parse(index.body.toString())).toContainEqual({
      name: 'b',
      version: '1',
      state: 'UNAVAILABLE',
      reason: 'unloaded',
    })
    expect(serving.server.ready()).toBe(true)
    expect((await get('models/b/ready')).status).toBe(200)
    expect(figures('b')).toMatchObject({ evictions: ways.length, bytes: 0 })
  })

  it('leaves alone what is pinned, which is loaded at start', async () => {
    await serve({ models: { a: 40, b: 40, c: 40 }, budget: 100, pinned: ['a'] })
    expect(loaded()).toEqual(['a'])
    for (const name of ['b', 'c', 'b', 'c']) await (ways[0] as Way).infer(name)
    expect(loaded()).toEqual(['a', 'c'])
    expect(figures('a')).toMatchObject({ evictions: 0 })
  })

  it('refuses in words what can never have room', async () => {
    await serve({ models: { a: 101, b: 40, c: 70 }, budget: 100, pinned: ['b', 'nope'] })
    expect(serving.server.startupErrors).toEqual(["pinned model 'nope' is in no model repository"])
    await expect((ways[0] as Way).infer('a')).rejects.toThrow(
      "model 'a' takes 101 bytes beside 40 of models that are pinned or belong to it, the memory budget is 100",
    )
    await expect((ways[0] as Way).infer('c')).rejects.toThrow('the memory budget is 100')
    expect(loaded()).toEqual(['b'])
  })

  it('counts the files of a model that does not say how much it takes', async () => {
    serving = await serveVersions({
      models: { a: versioned(), b: versioned() },
      versions: [1],
      options: { loadOnDemand: { budget: 5000, pinned: [] } },
    })
    ways = waysOf(serving)
    serving.files.set('a/1/model', new Uint8Array(3000))
    serving.files.set('b/1/model', new Uint8Array(3000))
    await (ways[0] as Way).infer('a')
    expect(figures('a')).toMatchObject({ bytes: 3000 })
    await (ways[0] as Way).infer('b')
    expect(loaded()).toEqual(['b'])
  })

  it('keeps the parts of an ensemble for as long as the ensemble', async () => {
    await serve({ models: { a: 60, b: 30, c: 60 }, ensembles: { whole: around('a') }, budget: 100 })
    const [way] = ways as [Way]
    await way.infer('whole')
    await way.infer('b')
    expect(loaded()).toEqual(['a', 'b', 'whole'])
    await way.infer('c')
    expect(loaded()).toEqual(['b', 'c'])
    await way.infer('whole')
    expect(loaded()).toEqual(['a', 'whole'])
  })

  it('waits for the end of a sequence before its model goes', async () => {
    const extra =
      'sequence_batching { oldest { max_candidate_sequences: 8 } max_sequence_idle_microseconds: 60000000 }'
    await serve({ models: { a: 60, b: 60 }, budget: 100, extra })
    for (const way of ways) {
      await way.infer('a', { sequence: { id: 7, start: true } })
      // Not by the same stream, which answers in order.
      const other = (ways[0] as Way).infer('b', { sequence: { id: 1, start: true, end: true } })
      for (let i = 0; i < 5; i++) expect(await way.infer('a', { sequence: { id: 7 } })).toBe(1)
      expect(loaded(), way.name).toEqual(['a'])
      await way.infer('a', { sequence: { id: 7, end: true } })
      expect(await other, way.name).toBe(1)
      expect(loaded(), way.name).toEqual(['b'])
    }
  })

  it('waits for a request whose body is on its way, and no longer than for that', async () => {
    await serve({ models: { a: 60, b: 60 }, budget: 100 })
    const [way] = ways as [Way]
    for (const end of ['sent', 'left']) {
      await way.infer('a')
      const body = '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]}'
      const upload = connect(Number(new URL(serving.url).port), '127.0.0.1')
      const reply = new Promise<string>((resolve) => {
        upload.on('error', () => resolve(''))
        upload.on('close', () => resolve(''))
        upload.on('data', (chunk) => resolve(chunk.toString()))
      })
      const head = `POST /v2/models/a/infer HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`
      upload.write(head + body.slice(0, 10))
      await turns(50)
      const other = way.infer('b')
      await until(() => serving.server.onDemand?.waiting === 1)
      await turns(50)
      expect(loaded(), end).toEqual(['a'])
      if (end === 'sent') upload.write(body.slice(10))
      else upload.destroy()
      expect(await other, end).toBe(1)
      expect(await reply, end).toContain(end === 'sent' ? '200 OK' : '')
      upload.destroy()
      expect(loaded(), end).toEqual(['b'])
    }
  })

  it('lets a model in while another is always busy', async () => {
    await serve({ models: { a: 60, b: 60 }, budget: 100 })
    let over = false
    const busy = ways.map(async (way) => {
      while (!over) await way.infer('a')
    })
    for (let i = 0; i < 5; i++) expect(await (ways[0] as Way).infer('b')).toBe(1)
    over = true
    await Promise.all(busy)
  })
})

describe('models on demand', () => {
  it('are no matter for the control modes that decide otherwise', async () => {
    const start = (modelControlMode: 'explicit' | 'poll') =>
      serve({ models: { a: 1 }, options: { modelControlMode } })
    await serve({ models: { a: 1 } })
    await expect(start('explicit')).rejects.toThrow(
      "models cannot be loaded on demand in model control mode 'explicit'",
    )
  })

  it('need not wait for those who leave while they load', async () => {
    await serve({ models: { a: 60, b: 60 }, budget: 100 })
    const [way] = ways as [Way]
    await way.infer('a')
    expect(serving.server.onDemand?.enter('a')).toBe(true)
    const abort = new AbortController()
    const body = '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]}'
    const url = `${serving.url}/v2/models/b/infer`
    const left = fetch(url, { method: 'POST', body, signal: abort.signal }).catch(() => 'left')
    const call = serving.grpc.start(INFER_PATH, inferBytes(echoRequest([1, 2], { modelName: 'b' })))
    const stream = serving.grpc.inferStream()
    stream.send(echoRequest([1, 2], { modelName: 'b' }))
    await until(() => serving.server.onDemand?.waiting === 3)
    abort.abort()
    call.cancel()
    stream.call.cancel()
    expect(await left).toBe('left')
    expect((await call.outcome).code).toBe(1)
    await until(() => serving.server.onDemand?.waiting === 0)
    serving.server.onDemand?.leave('a')
    expect(await way.infer('b')).toBe(1)
    expect(await way.infer('a')).toBe(1)
    expect(serving.server.inflight).toBe(0)
  })

  it('are told when the server closes while they wait', async () => {
    await serve({ models: { a: 60, b: 60 }, budget: 100 })
    const [way] = ways as [Way]
    await way.infer('a')
    expect(serving.server.onDemand?.enter('a')).toBe(true)
    const waiting = way.infer('b').catch((error: Error) => error.message)
    await new Promise((resolve) => setImmediate(resolve))
    const closed = serving.server.close(1000)
    expect(await waiting).toContain('Server not ready')
    serving.server.onDemand?.leave('a')
    await closed
  })
})
