import { describe, expect, it } from 'vitest'
import { fileMapStore } from '../../../core/repository/file-map.ts'
import { startPolling } from '../../../core/repository/poll.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import {
  ALL_VERSIONS,
  createRepository,
  createTurnClock,
  fakeConfig,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
  turns,
} from './harness.ts'

const POLL = { modelControlMode: 'poll', repositoryPollSecs: 2 } as const

describe('model control poll', () => {
  it('applies what was added, changed and removed, once per interval', async () => {
    const repository = createRepository({ ...modelFiles('changed'), ...modelFiles('removed') })
    const { server, clock } = await startServer({ repositories: [repository], options: POLL })
    const before = server.model('changed', '')
    repository.put({ ...modelFiles('added'), ...modelFiles('changed', { mark: 'second' }) })
    repository.remove('removed')
    clock.advance(1.9e9)
    await turns()
    expect(server.modelReady('added', '')).toBe(false)
    clock.advance(0.1e9)
    await turns()
    expect(server.modelReady('added', '')).toBe(true)
    expect(server.model('changed', '')).not.toBe(before)
    expect(server.modelReady('removed', '')).toBe(false)
    expect((await server.index(false)).map((entry) => entry.name)).toEqual(['added', 'changed'])
    expect(server.ready()).toBe(true)
    await server.close()
  })

  it('adds and removes single versions', async () => {
    const repository = createRepository(modelFiles('m', { versions: [1, 2], config: ALL_VERSIONS }))
    const { server, clock, backend } = await startServer({
      repositories: [repository],
      options: POLL,
    })
    repository.put({ 'm/3/model.bin': 'new' })
    repository.remove('m/1')
    clock.advance(2e9)
    await turns()
    expect(server.modelMetadata('m', '').versions).toEqual(['2', '3'])
    expect(backend.loads.map((source) => source.version)).toEqual([1, 2, 3])
    await server.close()
  })

  it('sees a change of the configuration alone', async () => {
    const repository = createRepository(modelFiles('m'))
    const { server, clock } = await startServer({ repositories: [repository], options: POLL })
    repository.put({ 'm/config.pbtxt': fakeConfig().replace('8', '4') })
    clock.advance(2e9)
    await turns()
    expect(server.modelConfig('m', '').max_batch_size).toBe(4)
    await server.close()
  })

  it('leaves alone what did not change', async () => {
    const { server, clock, backend } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: POLL,
    })
    const generation = server.generation
    for (let i = 0; i < 5; i++) {
      clock.advance(2e9)
      await turns()
    }
    expect(backend.loads).toHaveLength(1)
    expect(server.generation).toBe(generation)
    await server.close()
  })

  it('keeps the old model when a changed one fails, and takes it up when it is mended', async () => {
    const repository = createRepository(modelFiles('m'))
    const { server, clock, backend, log } = await startServer({
      backend: pickyBackend(),
      repositories: [repository],
      options: POLL,
    })
    const before = server.model('m', '')
    repository.put(modelFiles('m', { mark: 'broken' }))
    clock.advance(2e9)
    await turns()
    expect(server.model('m', '')).toBe(before)
    expect(log.lines.some((line) => line.startsWith("E load failed for model 'm'"))).toBe(true)
    // Without a change nothing new can come of it: no second attempt.
    clock.advance(2e9)
    await turns()
    expect(backend.loads).toHaveLength(2)
    repository.put(modelFiles('m', { mark: 'mended' }))
    clock.advance(2e9)
    await turns()
    expect(server.model('m', '')).not.toBe(before)
    expect(await infer(server, 'm', [1, 2])).toEqual([1, 2])
    await server.close()
  })

  it('is ready again when a broken model is taken away', async () => {
    const repository = createRepository({
      ...modelFiles('good'),
      ...modelFiles('bad', { mark: 'broken' }),
      ...modelFiles('worse', { config: 'foo: 3' }),
    })
    const { server, clock } = await startServer({
      backend: pickyBackend(),
      repositories: [repository],
      options: POLL,
    })
    expect(server.ready()).toBe(false)
    repository.remove('bad')
    repository.remove('worse')
    clock.advance(2e9)
    await turns()
    expect(server.ready()).toBe(true)
    await server.close()
  })

  it('unloads a model that turns up in a second repository, and loads it when one is gone', async () => {
    const [first, second] = [createRepository(modelFiles('m')), createRepository(modelFiles('n'))]
    const { server, clock } = await startServer({ repositories: [first, second], options: POLL })
    second.put(modelFiles('m'))
    clock.advance(2e9)
    await turns()
    expect(server.modelReady('m', '')).toBe(false)
    expect(server.modelReady('n', '')).toBe(true)
    first.remove('m')
    clock.advance(2e9)
    await turns()
    expect(server.modelReady('m', '')).toBe(true)
    await server.close()
  })

  it('takes no model down because a repository or a folder cannot be read for a while', async () => {
    const [first, second] = [createRepository(modelFiles('a')), createRepository(modelFiles('b'))]
    let fault: string | undefined
    const stores = [first, second].map(({ files }, i) => {
      const store = fileMapStore({ root: `root${i}`, files })
      return {
        ...store,
        list: async (path: string) => {
          if (fault === `${store.root}/${path}`) throw new Error('EIO')
          return store.list(path)
        },
      }
    })
    const { server, clock, log } = await startServer({ repositories: [], stores, options: POLL })
    const a = server.model('a', '')
    for (fault of ['root0/', 'root0/a', 'root0/a/1']) {
      clock.advance(2e9)
      await turns()
      expect(server.model('a', ''), fault).toBe(a)
      expect(server.ready()).toBe(true)
    }
    expect(log.lines.some((line) => line.includes('EIO'))).toBe(true)
    second.put(modelFiles('c'))
    clock.advance(2e9)
    await turns()
    expect(server.modelReady('c', ''), 'the other repository is still looked after').toBe(true)
    fault = undefined
    first.remove('a')
    clock.advance(2e9)
    await turns()
    expect(server.modelReady('a', '')).toBe(false)
    await server.close()
  })

  it('refuses load and unload', async () => {
    const { server } = await startServer({
      backend: createFakeBackend(),
      repositories: [createRepository(modelFiles('m'))],
      options: POLL,
    })
    await expect(server.load('m', {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await server.close()
  })
})

describe('startPolling', () => {
  it('polls no more when it was closed between two polls', async () => {
    const clock = createTurnClock()
    let polls = 0
    const poller = startPolling({
      clock,
      intervalNs: 10,
      async poll() {
        polls++
      },
    })
    clock.advance(10)
    await turns()
    await poller.close()
    clock.advance(1_000)
    expect(polls).toBe(1)
    expect(clock.timers).toBe(0)
  })

  it('never runs two polls at once and stops for good when closed', async () => {
    const clock = createTurnClock()
    let finish = (): void => {}
    let polls = 0
    let aborted = false
    const poller = startPolling({
      clock,
      intervalNs: 10,
      poll(signal) {
        polls++
        return new Promise((resolve) => {
          finish = resolve
          signal.addEventListener('abort', () => {
            aborted = true
            resolve()
          })
        })
      },
    })
    clock.advance(100)
    expect(polls).toBe(1)
    finish()
    await turns()
    clock.advance(10)
    expect(polls).toBe(2)
    await poller.close()
    await poller.close()
    expect(aborted).toBe(true)
    clock.advance(1_000)
    await turns()
    expect(polls).toBe(2)
    expect(clock.timers).toBe(0)
  })
})
