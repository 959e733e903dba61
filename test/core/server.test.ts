import { describe, expect, it } from 'vitest'
import { EXTENSIONS } from '../../core/server.ts'
import { createFakeBackend } from '../helpers/fake-backend.ts'
import {
  createRepository,
  fakeConfig,
  infer,
  modelFiles,
  startServer,
  turns,
} from './repository/harness.ts'

describe('a server', () => {
  it('names itself, the Triton version and its extensions', async () => {
    const { server } = await startServer({ repositories: [createRepository()] })
    expect(server.id).toBe('triton')
    expect(server.version).toBe('2.51.0')
    expect(server.extensions).toEqual(EXTENSIONS)
    expect(server.live()).toBe(true)
    expect(server.ready()).toBe(true)
    const named = await startServer({
      repositories: [createRepository()],
      options: { id: 'mine' },
    })
    expect(named.server.id).toBe('mine')
  })

  it('answers an inference', async () => {
    const { server } = await startServer({ repositories: [createRepository(modelFiles('m'))] })
    expect(await infer(server, 'm', [3, 4])).toEqual([3, 4])
    expect(server.inflight).toBe(0)
  })

  it('serves the version asked for, and the highest one to those who ask for none', async () => {
    const repository = createRepository(
      modelFiles('m', { versions: [1, 2, 10], config: fakeConfig('version_policy { all {} }') }),
    )
    const { server } = await startServer({ repositories: [repository] })
    expect(server.model('m', '').version).toBe(10)
    expect(server.model('m', '2').version).toBe(2)
    expect(server.model('m', '02').version).toBe(2)
    expect(server.modelMetadata('m', '').versions).toEqual(['1', '2', '10'])
    expect(server.modelMetadata('m', '2').versions).toEqual(['2'])
  })

  it('describes a batching model with the batch dimension in front', async () => {
    const { server } = await startServer({
      repositories: [
        createRepository({
          ...modelFiles('m'),
          ...modelFiles('whole', {
            config: fakeConfig('max_batch_size: 0').replace('max_batch_size: 8', ''),
          }),
        }),
      ],
    })
    expect(server.modelMetadata('m', '')).toEqual({
      name: 'm',
      versions: ['1'],
      platform: 'fake',
      inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [-1, 2] }],
      outputs: [{ name: 'OUTPUT0', datatype: 'INT32', shape: [-1, 2] }],
    })
    expect(server.modelMetadata('whole', '').inputs[0]?.shape).toEqual([2])
    expect(server.modelConfig('m', '1')).toMatchObject({
      name: 'm',
      max_batch_size: 8,
      version_policy: { latest: { num_versions: 1 } },
    })
  })

  it("answers for what it does not have with Triton's texts", async () => {
    const repository = createRepository(modelFiles('m', { versions: [1, 2] }))
    const { server } = await startServer({
      repositories: [repository],
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    const lookup = (name: string, version: string) => () => server.model(name, version)
    expect(lookup('nope', '')).toThrow("Request for unknown model: 'nope' is not found")
    expect(lookup('nope', '1')).toThrow("Request for unknown model: 'nope' is not found")
    expect(lookup('m', '7')).toThrow("Request for unknown model: 'm' version 7 is not found")
    expect(lookup('m', '9223372036854775807')).toThrow('version 9223372036854775807 is not found')
    expect(lookup('m', '0')).toThrow("Request for unknown model: 'm' version 0 is not found")
    expect(lookup('m', '99999999999999999999')).toThrow(
      "failed to get model version from specified version string '99999999999999999999' (details: stol), version should be an integral value > 0",
    )
    expect(lookup('m', 'x')).toThrow('(details: stol)')
    expect(lookup('m', '-1')).toThrow("invalid model version specified '-1' ,")
    await server.unload('m', false)
    expect(lookup('m', '')).toThrow("Request for unknown model: 'm' has no available versions")
    expect(lookup('m', '2')).toThrow(
      "Request for unknown model: 'm' version 2 is not at ready state",
    )
    expect(server.modelReady('m', '')).toBe(false)
    expect(server.modelReady('nope', '')).toBe(false)
  })

  it("lists statistics of what is ready, and refuses the rest with Triton's texts", async () => {
    const repository = createRepository({
      ...modelFiles('b'),
      ...modelFiles('a', { versions: [1, 2], config: fakeConfig('version_policy { all {} }') }),
    })
    const { server } = await startServer({ repositories: [repository] })
    await infer(server, 'a', [1, 2], '2')
    const names = (name?: string, version?: string) =>
      server.statistics(name, version).map((one) => `${one.name}:${one.version}`)
    expect(names()).toEqual(['a:1', 'a:2', 'b:1'])
    expect(names('a')).toEqual(['a:1', 'a:2'])
    expect(names('a', '2')).toEqual(['a:2'])
    expect(server.statistics('a', '2')[0]?.stats.inferenceCount).toBe(1)
    expect(server.statistics('a', '1')[0]?.stats.inferenceCount).toBe(0)
    expect(() => names('nope')).toThrow("requested model 'nope' is not available")
    expect(() => names('a', '3')).toThrow("requested model version is not available for model 'a'")
  })

  it('tells those who remember a model when to look it up again', async () => {
    const { server } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    const first = server.generation
    const model = server.model('m', '')
    await infer(server, 'm', [1, 2])
    expect(server.generation).toBe(first)
    await server.unload('m', false)
    expect(server.generation).not.toBe(first)
    await server.load('m', {})
    expect(server.model('m', '')).not.toBe(model)
  })

  it('starts with what it can load and reports the rest', async () => {
    const { server, log } = await startServer({
      repositories: [
        createRepository({
          ...modelFiles('good'),
          ...modelFiles('bad', { config: 'nonsense: 3' }),
        }),
      ],
    })
    expect(server.startupErrors).toHaveLength(1)
    expect(server.startupReport()).toEqual([
      { name: 'bad', version: '-', status: expect.stringContaining('nonsense') },
      { name: 'good', version: '1', status: 'READY' },
    ])
    expect(log.lines.join('\n')).toContain("Poll failed for model directory 'bad'")
    expect(await infer(server, 'good', [1, 2])).toEqual([1, 2])
  })

  it('is ready only while every attempted model is, unless readiness is not strict', async () => {
    const files = { ...modelFiles('good'), ...modelFiles('bad', { config: fakeConfig('', 'no') }) }
    const strict = await startServer({ repositories: [createRepository(files)] })
    expect(strict.server.ready()).toBe(false)
    expect(strict.server.modelReady('good', '')).toBe(true)
    const lenient = await startServer({
      repositories: [createRepository(files)],
      options: { strictReadiness: false },
    })
    expect(lenient.server.ready()).toBe(true)
  })
})

describe('closing a server', () => {
  it('answers what is in flight and takes nothing more', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      backend,
    })
    const answer = infer(server, 'm', [5, 6])
    await turns()
    const { generation } = server
    const closed = server.close(1_000)
    expect(server.ready()).toBe(false)
    expect(server.modelReady('m', '')).toBe(false)
    expect(server.generation).not.toBe(generation)
    expect(server.live()).toBe(true)
    expect(server.inflight).toBe(1)
    expect(() => server.model('m', '')).toThrow('Server not ready')
    await expect(server.load('m', {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await turns()
    expect(backend.closedModels).toBe(0)
    backend.instances[0]?.finish()
    expect(await answer).toEqual([5, 6])
    await closed
    expect(backend.closedModels).toBe(1)
    expect(backend.instances.every((instance) => instance.closed === 1)).toBe(true)
    expect(server.inflight).toBe(0)
  })

  it('gives up on what does not end in time, stopping it', async () => {
    const backend = createFakeBackend({ paused: true })
    const { server, clock, log } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      backend,
    })
    const answer = infer(server, 'm', [5, 6])
    await turns()
    const closed = server.close(1_000)
    await turns()
    clock.advance(1_000 * 1e6)
    await closed
    expect(backend.instances[0]?.terminated).toBe(1)
    expect(log.lines).toContain('E Exit timeout expired. Exiting immediately.')
    backend.instances[0]?.finish()
    await answer
  })

  it('may be asked for twice', async () => {
    const { server, clock } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
    })
    await Promise.all([server.close(), server.close()])
    await server.close()
    expect(clock.timers).toBe(0)
  })
})
