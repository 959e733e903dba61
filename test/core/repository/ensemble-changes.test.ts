import { describe, expect, it } from 'vitest'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import { ensemble, failure, SOME, states } from './ensemble-files.ts'
import {
  createRepository,
  createTurnClock,
  EXPLICIT,
  fakeConfig,
  infer,
  modelFiles,
  startServer,
  turns,
} from './harness.ts'

describe('unloading', () => {
  const repository = () =>
    createRepository({
      ...ensemble('ens', ['a', 'b']),
      ...ensemble('too', ['b', 'c']),
      ...modelFiles('a'),
      ...modelFiles('b'),
      ...modelFiles('c'),
    })

  it('an ensemble leaves what it is made of alone', async () => {
    const { server } = await startServer({ options: SOME, repositories: [repository()] })
    await server.load('ens', {})
    await server.unload('ens', false)
    expect(await states(server)).toMatchObject({ ens: 'UNAVAILABLE', a: 'READY', b: 'READY' })
  })

  it('an ensemble with its dependents takes what nobody else needs and nobody asked for', async () => {
    const { server } = await startServer({ options: SOME, repositories: [repository()] })
    await server.load('ens', {})
    await server.load('too', {})
    await server.load('c', {})
    await server.unload('ens', true)
    expect(await states(server)).toMatchObject({ a: 'UNAVAILABLE', b: 'READY', c: 'READY' })
    expect(await infer(server, 'too', [1, 2])).toEqual([1, 2])
    await server.unload('too', true)
    expect(await states(server)).toMatchObject({ b: 'UNAVAILABLE', c: 'READY' })
  })

  it('a model takes the ensembles down that are made of it, and loading it brings them back', async () => {
    const { server, log } = await startServer({
      options: EXPLICIT,
      repositories: [
        createRepository({
          ...ensemble('outer', ['ens']),
          ...ensemble('ens', ['a']),
          ...modelFiles('a'),
        }),
      ],
    })
    await server.unload('a', false)
    expect(await states(server)).toEqual({
      a: 'UNAVAILABLE',
      ens: 'UNAVAILABLE',
      outer: 'UNAVAILABLE',
    })
    expect(await failure(infer(server, 'outer', [1, 2]))).toBe(
      "Request for unknown model: 'outer' has no available versions",
    )
    expect(server.ready()).toBe(true)
    expect(log.lines).toContain(
      'E Invalid argument: ensemble ens contains models that are not available or ambiguous: a',
    )
    await server.load('a', {})
    expect(await infer(server, 'outer', [1, 2])).toEqual([1, 2])
    expect(server.ready()).toBe(true)
  })

  it('an ensemble on purpose keeps it down when its models come and go', async () => {
    const { server } = await startServer({ options: EXPLICIT, repositories: [repository()] })
    await server.unload('ens', false)
    await server.unload('a', false)
    await server.load('a', {})
    expect((await states(server))['ens']).toBe('UNAVAILABLE')
  })
})

describe('reloading a model that an ensemble is made of', () => {
  it('takes the ensemble down when it does not fit any more, and back up when it does', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server } = await startServer({ options: EXPLICIT, repositories: [repository] })
    repository.put(
      modelFiles('a', { config: fakeConfig().replace('max_batch_size: 8', 'max_batch_size: 4') }),
    )
    await server.load('a', {})
    expect((await states(server))['ens']).toBe('UNAVAILABLE')
    repository.put(modelFiles('a'))
    await server.load('a', {})
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
  })

  it('keeps the ensemble and its statistics where it still fits', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server } = await startServer({ options: EXPLICIT, repositories: [repository] })
    await infer(server, 'ens', [1, 2])
    const before = server.model('ens', '')
    repository.put(modelFiles('a', { mark: 'new' }))
    await server.load('a', {})
    expect(server.model('ens', '')).toBe(before)
    await infer(server, 'ens', [1, 2])
    expect(server.statistics('ens')[0]?.stats.success.count).toBe(2)
    expect(server.statistics('a')[0]?.stats.success.count).toBe(1)
  })

  it('makes the ensemble decoupled when the model is, and no longer when it is not', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server } = await startServer({ options: EXPLICIT, repositories: [repository] })
    const decoupled = () => server.modelConfig('ens', '').model_transaction_policy?.decoupled
    expect(decoupled()).toBe(false)
    const config = fakeConfig('model_transaction_policy { decoupled: true }')
    repository.put(modelFiles('a', { config }))
    await server.load('a', {})
    expect(decoupled()).toBe(true)
    repository.put(modelFiles('a'))
    await server.load('a', {})
    expect(decoupled()).toBe(false)
  })

  it('100 times under load fails no request', async () => {
    const repository = createRepository({
      ...ensemble('ens', ['a', 'b', 'a']),
      ...modelFiles('a'),
      ...modelFiles('b'),
    })
    const { server, backend } = await startServer({ options: EXPLICIT, repositories: [repository] })
    for (const instance of backend.instances) {
      const execute = instance.execute
      instance.execute = (...args) => void setImmediate(() => execute.apply(instance, args))
    }
    let stop = false
    let answered = 0
    const client = async (): Promise<void> => {
      while (!stop) {
        expect(await infer(server, 'ens', [7, answered])).toHaveLength(2)
        answered++
      }
    }
    const clients = [client(), client(), client(), client()]
    for (let i = 0; i < 100; i++) {
      const name = i % 2 === 0 ? 'a' : 'b'
      repository.put(modelFiles(name, { mark: `mark ${i}` }))
      const known = new Set(backend.instances)
      await server.load(name, {})
      for (const instance of backend.instances) {
        if (known.has(instance)) continue
        const execute = instance.execute
        instance.execute = (...args) => void setImmediate(() => execute.apply(instance, args))
      }
      await turns(3)
    }
    stop = true
    await Promise.all(clients)
    expect(answered).toBeGreaterThan(50)
    await turns()
    // All but the last of each are closed: nothing held them any longer than its request.
    expect(backend.closedModels).toBe(backend.loads.length - 2)
    expect(server.inflight).toBe(0)
  })
})

describe('statistics', () => {
  it('of an ensemble have the compute times of its steps, through ensembles in it', async () => {
    const clock = createTurnClock()
    const backend = createFakeBackend({ clock, durationNs: 1000 })
    const { server } = await startServer({
      backend,
      clock,
      repositories: [
        createRepository({
          ...ensemble('outer', ['inner', 'a']),
          ...ensemble('inner', ['a', 'b']),
          ...modelFiles('a'),
          ...modelFiles('b'),
        }),
      ],
    })
    const answer = infer(server, 'outer', [1, 2])
    for (let i = 0; i < 3; i++) clock.advance(1000)
    await answer
    const compute = (name: string): number => server.model(name, '').stats.computeInfer.ns
    expect(['a', 'b', 'inner', 'outer'].map(compute)).toEqual([2000, 1000, 2000, 3000])
    expect(server.model('outer', '').stats.success).toMatchObject({ count: 1, ns: 3000 })
    expect(server.model('outer', '').stats.executionCount).toBe(1)
  })
})

describe('a request in flight', () => {
  it('finishes on the models it began with when they are unloaded', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      backend,
      options: EXPLICIT,
      repositories: [
        createRepository({
          ...ensemble('ens', ['a', 'b']),
          ...modelFiles('a'),
          ...modelFiles('b'),
        }),
      ],
    })
    const answer = infer(server, 'ens', [8, 9])
    await server.unload('b', false)
    expect(server.modelReady('b', '')).toBe(false)
    expect(server.modelReady('ens', '')).toBe(false)
    await turns()
    for (let running = backend.instances; ; ) {
      const busy = running.find((instance) => instance.running)
      if (busy === undefined) break
      busy.finish()
      await turns(2)
      running = backend.instances
    }
    expect(await answer).toEqual([8, 9])
    await turns()
    expect(backend.closedModels).toBe(1)
  })

  it('is waited for by a server that closes', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      backend,
      repositories: [
        createRepository({
          ...ensemble('ens', ['a', 'b']),
          ...modelFiles('a'),
          ...modelFiles('b'),
        }),
      ],
    })
    const answer = infer(server, 'ens', [8, 9])
    const closed = server.close()
    await turns()
    for (let i = 0; i < 2; i++) {
      backend.instances.find((instance) => instance.running)?.finish()
      await turns()
    }
    expect(await answer).toEqual([8, 9])
    await closed
    expect(backend.closedModels).toBe(2)
  })
})

describe('polling', () => {
  const POLL = { modelControlMode: 'poll', repositoryPollSecs: 1 } as const
  const SECOND = 1e9

  it('follows models that come, change and go', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']) })
    const { server, clock } = await startServer({ options: POLL, repositories: [repository] })
    const poll = async (): Promise<void> => {
      clock.advance(SECOND)
      await turns(40)
    }
    expect(server.startupErrors[0]).toContain('not available or ambiguous: a')
    repository.put(modelFiles('a'))
    await poll()
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
    expect(server.ready()).toBe(true)
    repository.remove('a')
    await poll()
    expect((await states(server))['ens']).toBe('UNAVAILABLE')
    repository.put(modelFiles('a'))
    await poll()
    expect((await states(server))['ens']).toBe('READY')
    await server.close()
  })

  it('moves an ensemble from a model that goes to one that comes without a gap', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server, clock } = await startServer({ options: POLL, repositories: [repository] })
    repository.remove('a')
    repository.put({ ...ensemble('ens', ['b']), ...modelFiles('b') })
    let gaps = 0
    clock.advance(SECOND)
    for (let i = 0; i < 60; i++) {
      if (!server.modelReady('ens', '')) gaps++
      await turns(1)
    }
    expect(gaps).toBe(0)
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
    expect(await states(server)).toEqual({ b: 'READY', ens: 'READY' })
    await server.close()
  })

  it('changes an ensemble together with its model without a gap', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server, clock } = await startServer({ options: POLL, repositories: [repository] })
    repository.put({
      ...ensemble('ens', ['a'], { dims: 3 }),
      ...modelFiles('a', { config: fakeConfig().replaceAll('dims: [ 2 ]', 'dims: [ 3 ]') }),
    })
    let gaps = 0
    clock.advance(SECOND)
    for (let i = 0; i < 60; i++) {
      if (!server.modelReady('ens', '')) gaps++
      await turns(1)
    }
    expect(gaps).toBe(0)
    expect(server.model('ens', '').inputs[0]?.shape).toEqual([-1, 3])
    await server.close()
  })
})
