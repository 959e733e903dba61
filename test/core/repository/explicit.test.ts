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

describe('model control explicit', () => {
  it('loads what it was told to load and nothing else', async () => {
    const files = { ...modelFiles('a'), ...modelFiles('b') }
    const one = await startServer({
      repositories: [createRepository(files)],
      options: { modelControlMode: 'explicit', loadModels: ['a', 'missing'] },
    })
    expect(one.server.startupErrors).toEqual([
      "failed to load 'missing', failed to poll from model repository: model not found in any model repository",
    ])
    expect(await one.server.index(false)).toEqual([
      { name: 'a', version: '1', state: 'READY' },
      { name: 'b' },
    ])
    expect(one.server.ready()).toBe(true)
    const none = await startServer({
      repositories: [createRepository(files)],
      options: { modelControlMode: 'explicit' },
    })
    expect(await none.server.index(true)).toEqual([])
    await expect(
      startServer({
        repositories: [createRepository(files)],
        options: { modelControlMode: 'explicit', loadModels: ['a', '*'] },
      }),
    ).rejects.toThrow("Wildcard model name '*' must be the ONLY startup model")
  })

  it("answers failing loads with Triton's texts", async () => {
    const backend = pickyBackend()
    const { server } = await startServer({
      backend,
      repositories: [
        createRepository({
          ...modelFiles('part', { versions: [1, 2, 3], config: ALL_VERSIONS }),
          'part/2/model.bin': 'broken',
          ...modelFiles('noversion', { versions: [] }),
          ...modelFiles('config', { config: 'foo: 3' }),
          ...modelFiles('both'),
        }),
        createRepository(modelFiles('both')),
      ],
      options: { modelControlMode: 'explicit' },
    })
    for (const name of ['nope', 'config', 'both']) {
      await expect(server.load(name, {})).rejects.toMatchObject({
        code: 'INTERNAL',
        message: `failed to load '${name}', failed to poll from model repository`,
      })
    }
    await expect(server.load('noversion', {})).rejects.toMatchObject({
      code: 'INVALID_ARG',
      message:
        "load failed for model 'noversion': at least one version must be available under the version policy of model 'noversion'\n",
    })
    await expect(server.load('part', {})).rejects.toMatchObject({
      code: 'INVALID_ARG',
      message:
        "load failed for model 'part': version 2 is at UNAVAILABLE state: Internal: file is broken;\n",
    })
    // None or all: the versions that could be loaded are given up with the one that could not.
    await turns()
    expect(backend.closedModels).toBe(2)
    const states = (await server.index(false)).filter((entry) => entry.name === 'part')
    expect(states.map((entry) => [entry.version, entry.state, entry.reason])).toEqual([
      ['1', 'UNAVAILABLE', 'unloaded'],
      ['2', 'UNAVAILABLE', 'Internal: file is broken'],
      ['3', 'UNAVAILABLE', 'unloaded'],
    ])
    expect(() => server.model('part', '')).toThrow("'part' has no available versions")
    expect(() => server.model('part', '2')).toThrow("'part' version 2 is not at ready state")
  })

  it('closes what a failed load had opened', async () => {
    const backend = createFakeBackend({
      onInstance(placement) {
        if (placement.name.endsWith('_1')) throw new Error('no room')
      },
    })
    const { server } = await startServer({
      backend,
      repositories: [
        createRepository(
          modelFiles('m', { config: fakeConfig('instance_group [ { kind: KIND_CPU count: 3 } ]') }),
        ),
      ],
    })
    expect(server.startupErrors[0]).toContain('no room')
    expect(backend.closedModels).toBe(1)
    expect(backend.instances.map((instance) => instance.closed)).toEqual([1, 1])
  })

  it('unloads: nothing serves, the index says why, a later load brings it back', async () => {
    const { server, backend } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    await server.unload('m', false)
    expect(await server.index(false)).toEqual([
      { name: 'm', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
    ])
    expect(server.modelReady('m', '')).toBe(false)
    expect(server.ready()).toBe(true)
    expect(backend.closedModels).toBe(1)
    await server.unload('m', false)
    await server.unload('never heard of', false)
    await server.load('m', {})
    expect(await infer(server, 'm', [1, 2])).toEqual([1, 2])
  })

  it('answers requests in flight before it closes an unloaded model', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      backend,
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    const answer = infer(server, 'm', [7, 8])
    await turns()
    await server.unload('m', false)
    expect(await server.index(false)).toEqual([{ name: 'm', version: '1', state: 'UNLOADING' }])
    expect(() => server.model('m', '')).toThrow("'m' has no available versions")
    expect(server.inflight).toBe(1)
    await turns()
    expect(backend.closedModels).toBe(0)
    backend.instances[0]?.finish()
    expect(await answer).toEqual([7, 8])
    await turns()
    expect(backend.closedModels).toBe(1)
    expect((await server.index(false))[0]?.state).toBe('UNAVAILABLE')
  })

  it('can load a model again while the old one still answers', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      backend,
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    const answer = infer(server, 'm', [7, 8])
    await turns()
    await server.unload('m', false)
    await server.load('m', {})
    expect(server.modelReady('m', '')).toBe(true)
    backend.instances[0]?.finish()
    await answer
    await turns()
    expect(await server.index(false)).toEqual([{ name: 'm', version: '1', state: 'READY' }])
  })
})
