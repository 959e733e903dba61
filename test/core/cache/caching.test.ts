import { describe, expect, it } from 'vitest'
import { localCache } from '../../../core/cache/local-cache.ts'
import type { ResponseCache } from '../../../core/cache/types.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import { ensemble } from '../repository/ensemble-files.ts'
import {
  createRepository,
  EXPLICIT,
  fakeConfig,
  infer,
  modelFiles,
  startServer,
} from '../repository/harness.ts'

const CACHED = 'response_cache { enable: true }'
const cached = (name: string) => modelFiles(name, { config: fakeConfig(CACHED) })

async function serve(
  files: Readonly<Record<string, string>>,
  cache: ResponseCache | null = localCache({ size: 100_000 }),
) {
  const backend = createFakeBackend()
  const repository = createRepository(files)
  const { server, log } = await startServer({
    options: EXPLICIT,
    repositories: [repository],
    backend,
    ...(cache === null ? {} : { cache }),
  })
  const runs = () => backend.instances.reduce((sum, one) => sum + one.batches.length, 0)
  return { server, log, runs, repository }
}

describe('CACHE-01: a server with a cache', () => {
  it('uses it for models that ask for it, and for no others', async () => {
    const { server, runs } = await serve({ ...cached('a'), ...modelFiles('b') })
    for (const name of ['a', 'a', 'b', 'b'])
      expect(await infer(server, name, [1, 2])).toEqual([1, 2])
    expect(runs()).toBe(3)
    expect(server.model('a', '').stats.cacheHit.count).toBe(1)
    expect(server.model('b', '').stats.cached).toBe(false)
  })

  it('without one, such models run every time', async () => {
    const { server, runs } = await serve(cached('a'), null)
    for (let i = 0; i < 2; i++) await infer(server, 'a', [1, 2])
    expect(runs()).toBe(2)
    expect(server.model('a', '').stats).toMatchObject({ cached: false, cacheMiss: { count: 0 } })
  })

  it('does not mix up models and versions', async () => {
    const { server, runs } = await serve({
      ...cached('a'),
      ...cached('b'),
      ...modelFiles('v', {
        versions: [1, 2],
        config: fakeConfig(`${CACHED} version_policy { all {} }`),
      }),
    })
    await infer(server, 'a', [1, 2])
    await infer(server, 'b', [1, 2])
    await infer(server, 'v', [1, 2], '1')
    await infer(server, 'v', [1, 2], '2')
    expect(runs()).toBe(4)
  })

  it('a model that was loaded again has none of its old answers', async () => {
    const { server, runs, repository } = await serve(cached('a'))
    await infer(server, 'a', [1, 2])
    repository.put(modelFiles('a', { config: fakeConfig(CACHED), mark: 'retrained' }))
    await server.load('a', {})
    await infer(server, 'a', [1, 2])
    expect(runs()).toBe(2)
  })

  it('is closed with the server, when its models are', async () => {
    const cache = localCache({ size: 100_000 })
    let closes = 0
    const { server } = await serve(cached('a'), {
      ...cache,
      close() {
        closes++
        return cache.close()
      },
    })
    await infer(server, 'a', [1, 2])
    await server.close()
    await server.close()
    expect(closes).toBe(1)
  })
})

describe('a cache that others use too', () => {
  /** What a cache of another process has in common with this one. */
  const shared = (): ResponseCache => ({ ...localCache({ size: 100_000 }), shared: true })

  it('answers one server from what another one ran', async () => {
    const cache = shared()
    const one = await serve(cached('a'), cache)
    const other = await serve(cached('a'), cache)
    await infer(one.server, 'a', [1, 2])
    expect(await infer(other.server, 'a', [1, 2])).toEqual([1, 2])
    expect(other.runs()).toBe(0)
  })

  it('but not when its model is another one under the same name', async () => {
    const cache = shared()
    const one = await serve(cached('a'), cache)
    const file = modelFiles('a', { config: fakeConfig(CACHED), mark: 'retrained' })
    const config = modelFiles('a', {
      config: fakeConfig(`${CACHED} metric_tags { key: "x" value: "y" }`),
    })
    const more = { ...cached('a'), 'a/1/deep/table.bin': 'x' }
    await infer(one.server, 'a', [1, 2])
    for (const files of [file, config, more]) {
      const other = await serve(files, cache)
      await infer(other.server, 'a', [1, 2])
      expect(other.runs()).toBe(1)
    }
  })

  it('ensembles follow the models they are made of', async () => {
    const cache = shared()
    const files = { ...ensemble('ens', ['a'], { extra: CACHED }), ...modelFiles('a') }
    const one = await serve(files, cache)
    await infer(one.server, 'ens', [1, 2])
    const same = await serve(files, cache)
    await infer(same.server, 'ens', [1, 2])
    expect(same.runs()).toBe(0)
    const other = await serve({ ...files, ...modelFiles('a', { mark: 'retrained' }) }, cache)
    await infer(other.server, 'ens', [1, 2])
    expect(other.runs()).toBe(1)
  })
})

describe('ENS-15: an ensemble with a cache', () => {
  it('answers a hit without any step', async () => {
    const { server, runs } = await serve({
      ...ensemble('ens', ['a', 'b'], { extra: CACHED }),
      ...modelFiles('a'),
      ...modelFiles('b'),
    })
    for (let i = 0; i < 3; i++) expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
    expect(runs()).toBe(2)
    const { stats } = server.model('ens', '')
    expect(stats).toMatchObject({ inferenceCount: 1, executionCount: 1 })
    expect(stats.success.count).toBe(3)
    expect(stats.cacheHit.count).toBe(2)
    expect(stats.cacheMiss.count).toBe(1)
  })

  it('skips a step that has a cache of its own', async () => {
    const { server, runs } = await serve({
      ...ensemble('ens', ['a', 'b']),
      ...cached('a'),
      ...modelFiles('b'),
    })
    for (let i = 0; i < 2; i++) expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
    expect(runs()).toBe(3)
  })

  it('has no answers of a step that was loaded again, however deep', async () => {
    const { server, runs, repository } = await serve({
      ...ensemble('outer', ['ens'], { extra: CACHED }),
      ...ensemble('ens', ['a']),
      ...modelFiles('a'),
    })
    for (let i = 0; i < 2; i++) await infer(server, 'outer', [1, 2])
    expect(runs()).toBe(1)
    repository.put(modelFiles('a', { mark: 'retrained' }))
    await server.load('a', {})
    for (let i = 0; i < 2; i++) await infer(server, 'outer', [1, 2])
    expect(runs()).toBe(2)
  })

  it('CACHE-03: is refused when its steps give any number of responses', async () => {
    const { server } = await serve({
      ...ensemble('ens', ['a'], { extra: CACHED }),
      ...modelFiles('a', {
        config: fakeConfig('model_transaction_policy { decoupled: true }'),
      }),
    })
    expect(server.startupErrors.join()).toContain(
      "Response Cache does not currently support model ens with 'decoupled' transaction policy. Please disable the response cache.",
    )
  })
})
