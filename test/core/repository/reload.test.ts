import { describe, expect, it } from 'vitest'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import {
  ALL_VERSIONS,
  createRepository,
  EXPLICIT,
  fakeConfig,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
  turns,
} from './harness.ts'

describe('reloading', () => {
  it('does nothing when no file changed', async () => {
    const { server, backend } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    const model = server.model('m', '')
    await server.load('m', {})
    expect(server.model('m', '')).toBe(model)
    expect(backend.loads).toHaveLength(1)
  })

  it('serves the old version until the new one is ready, and its requests to their end', async () => {
    let release = (): void => {}
    let wait: Promise<void> | undefined
    const backend = createFakeBackend({ paused: true, onLoad: () => wait })
    const repository = createRepository(modelFiles('m'))
    const { server } = await startServer({ backend, repositories: [repository], options: EXPLICIT })
    const old = server.model('m', '')
    const answer = infer(server, 'm', [1, 2])
    await turns()
    repository.put(modelFiles('m', { mark: 'second' }))
    wait = new Promise((resolve) => {
      release = resolve
    })
    const loaded = server.load('m', {})
    await turns()
    expect(server.model('m', '')).toBe(old)
    expect(server.ready()).toBe(true)
    expect((await server.index(false))[0]?.state).toBe('READY')
    release()
    await loaded
    expect(server.model('m', '')).not.toBe(old)
    expect([old.ready, server.model('m', '').ready]).toEqual([false, true])
    expect(backend.closedModels).toBe(0)
    backend.instances[0]?.finish()
    expect(await answer).toEqual([1, 2])
    await turns()
    expect(backend.closedModels).toBe(1)
  })

  it('takes a request that was routed to the old version just before the swap', async () => {
    const repository = createRepository(modelFiles('m'))
    const { server } = await startServer({ repositories: [repository], options: EXPLICIT })
    const old = server.model('m', '')
    repository.put(modelFiles('m', { mark: 'second' }))
    await server.load('m', {})
    const late = infer({ ...server, model: () => old } as typeof server, 'm', [1, 2])
    expect(await late).toEqual([1, 2])
    await turns()
    const tooLate = infer({ ...server, model: () => old } as typeof server, 'm', [1, 2])
    await expect(tooLate).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('keeps the old version when the new one fails, and tells why', async () => {
    const repository = createRepository(modelFiles('m'))
    const { server } = await startServer({
      backend: pickyBackend(),
      repositories: [repository],
      options: EXPLICIT,
    })
    const old = server.model('m', '')
    repository.put(modelFiles('m', { mark: 'broken' }))
    await expect(server.load('m', {})).rejects.toMatchObject({ code: 'INVALID_ARG' })
    repository.put(modelFiles('m', { config: 'foo: 3' }))
    await expect(server.load('m', {})).rejects.toMatchObject({ code: 'INTERNAL' })
    repository.remove('m')
    await expect(server.load('m', {})).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(server.model('m', '')).toBe(old)
    expect(server.ready()).toBe(true)
    expect(await infer(server, 'm', [1, 2])).toEqual([1, 2])
    repository.put(modelFiles('m', { mark: 'fixed' }))
    await server.load('m', {})
    expect(server.model('m', '')).not.toBe(old)
  })

  it('tries again after a failure although no file changed since', async () => {
    let fail = true
    const backend = createFakeBackend({
      onLoad() {
        if (fail) throw new Error('device is busy')
      },
    })
    const { server } = await startServer({
      backend,
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    expect(server.modelReady('m', '')).toBe(false)
    fail = false
    await server.load('m', {})
    expect(server.modelReady('m', '')).toBe(true)
  })

  it('loads only the versions that are new or changed', async () => {
    const repository = createRepository(modelFiles('m', { versions: [1, 2], config: ALL_VERSIONS }))
    const { server, backend } = await startServer({
      repositories: [repository],
      options: EXPLICIT,
    })
    const [one, two] = [server.model('m', '1'), server.model('m', '2')]
    repository.put({ 'm/2/model.bin': 'changed', 'm/3/model.bin': 'new' })
    await server.load('m', {})
    expect(server.model('m', '1')).toBe(one)
    expect(server.model('m', '2')).not.toBe(two)
    expect(server.model('m', '').version).toBe(3)
    expect(backend.loads.map((source) => source.version)).toEqual([1, 2, 2, 3])
  })

  it('takes down versions that a new policy does not serve without touching the others', async () => {
    const repository = createRepository(
      modelFiles('m', { versions: [1, 2, 3], config: ALL_VERSIONS }),
    )
    const { server, backend } = await startServer({
      repositories: [repository],
      options: EXPLICIT,
    })
    const three = server.model('m', '3')
    repository.put({ 'm/config.pbtxt': fakeConfig() })
    await server.load('m', {})
    expect(server.model('m', '')).toBe(three)
    expect(server.modelConfig('m', '3').version_policy).toEqual({ latest: { num_versions: 1 } })
    expect(() => server.model('m', '1')).toThrow("'m' version 1 is not at ready state")
    expect(backend.loads).toHaveLength(3)
    await turns()
    expect((await server.index(false)).map((entry) => entry.reason ?? entry.state)).toEqual([
      'unloaded',
      'unloaded',
      'READY',
    ])
  })

  it('loads every version again when what they share changed', async () => {
    const repository = createRepository(modelFiles('m', { versions: [1, 2], config: ALL_VERSIONS }))
    const { server, backend } = await startServer({
      repositories: [repository],
      options: EXPLICIT,
    })
    repository.put({
      'm/config.pbtxt': ALL_VERSIONS.replace('max_batch_size: 8', 'max_batch_size: 4'),
    })
    await server.load('m', {})
    expect(backend.loads).toHaveLength(4)
    expect(server.modelConfig('m', '1').max_batch_size).toBe(4)
    repository.put({ 'm/labels.txt': 'a' })
    await server.load('m', {})
    expect(backend.loads).toHaveLength(6)
  })

  it('survives a hundred reloads under load without a failed or a wrong answer', async () => {
    const repository = createRepository(modelFiles('m'))
    const backend = createFakeBackend({ onLoad: () => turns(2) })
    const { server } = await startServer({ backend, repositories: [repository], options: EXPLICIT })
    let stop = false
    let answers = 0
    const client = async (id: number): Promise<void> => {
      for (let i = 0; !stop; i++) {
        expect(await infer(server, 'm', [id, i])).toEqual([id, i])
        answers++
        await turns(1)
      }
    }
    const clients = Array.from({ length: 8 }, (_, id) => client(id))
    for (let i = 0; i < 100; i++) {
      repository.put(modelFiles('m', { mark: `generation ${i}` }))
      await server.load('m', {})
    }
    stop = true
    await Promise.all(clients)
    await turns()
    expect(answers).toBeGreaterThan(800)
    expect(backend.closedModels).toBe(100)
    expect(server.inflight).toBe(0)
  })
})
