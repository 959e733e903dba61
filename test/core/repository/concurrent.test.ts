import { describe, expect, it } from 'vitest'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import {
  createRepository,
  EXPLICIT,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
  turns,
} from './harness.ts'

describe('concurrent operations', () => {
  it('on one model run one after another; the last one asked for wins', async () => {
    let running = 0
    const backend = createFakeBackend({
      async onLoad() {
        expect(++running).toBe(1)
        await turns(2)
        running--
      },
    })
    const repository = createRepository(modelFiles('m'))
    const { server } = await startServer({ backend, repositories: [repository], options: EXPLICIT })
    const work: Promise<void>[] = []
    for (let i = 0; i < 10; i++) {
      repository.put(modelFiles('m', { mark: `${i}` }))
      work.push(server.load('m', {}), server.unload('m', false))
    }
    await Promise.all(work)
    expect(server.modelReady('m', '')).toBe(false)
    work.push(server.unload('m', false), server.load('m', {}))
    await Promise.all(work)
    expect(server.modelReady('m', '')).toBe(true)
    await turns()
    expect(backend.closedModels).toBe(backend.loads.length - 1)
  })

  it('on other models do not wait', async () => {
    let release = (): void => {}
    const slow = new Promise<void>((resolve) => {
      release = resolve
    })
    const backend = pickyBackend({ onLoad: (name) => (name === 'slow' ? slow : undefined) })
    const { server } = await startServer({
      backend,
      repositories: [createRepository({ ...modelFiles('slow'), ...modelFiles('quick') })],
      options: { modelControlMode: 'explicit' },
    })
    const loading = server.load('slow', {})
    await server.load('quick', {})
    await server.unload('quick', false)
    expect((await server.index(false)).find((entry) => entry.name === 'slow')?.state).toBe(
      'LOADING',
    )
    release()
    await loading
    expect(server.modelReady('slow', '')).toBe(true)
  })

  it('from many clients on many models end in a state that the last of each explains', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const files = Object.assign({}, ...names.map((name) => modelFiles(name)))
    const { server, backend } = await startServer({
      repositories: [createRepository(files)],
      options: EXPLICIT,
    })
    // A fixed order of operations that mixes clients and models thoroughly.
    const last = new Map<string, boolean>()
    const work: Promise<unknown>[] = []
    for (let i = 0; i < 400; i++) {
      const name = names[(i * 5 + (i >> 3)) % names.length]!
      const load = (i * 7) % 11 < 6
      last.set(name, load)
      work.push(load ? server.load(name, {}) : server.unload(name, false))
      if (i % 3 === 0) work.push(infer(server, name, [i, i]).catch((error) => error.code))
      if (i % 16 === 0) await turns(1)
    }
    await Promise.all(work)
    for (const [name, loaded] of last) expect(server.modelReady(name, ''), name).toBe(loaded)
    await server.close()
    expect(backend.closedModels).toBe(backend.loads.length)
  })
})
