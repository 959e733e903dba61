import { describe, expect, it } from 'vitest'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import {
  ALL_VERSIONS,
  createRepository,
  fakeConfig,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
  turns,
} from './harness.ts'

describe('model control none', () => {
  it('loads everything at start and refuses load and unload', async () => {
    const { server } = await startServer({
      repositories: [createRepository({ ...modelFiles('a'), ...modelFiles('b') })],
    })
    expect(server.modelReady('a', '')).toBe(true)
    expect(server.modelReady('b', '')).toBe(true)
    const refusal = {
      code: 'UNAVAILABLE',
      message: 'explicit model load / unload is not allowed if polling is enabled',
    }
    await expect(server.load('a', {})).rejects.toMatchObject(refusal)
    await expect(server.unload('a', false)).rejects.toMatchObject(refusal)
    await expect(server.unload('nope', false)).rejects.toMatchObject(refusal)
  })

  it('loads the versions that the policy serves and ignores folders that are none', async () => {
    const { server, log } = await startServer({
      repositories: [
        createRepository({
          ...modelFiles('latest', { versions: [1, 2, 10, '03', 'abc'] }),
          ...modelFiles('all', { versions: [1, 2], config: ALL_VERSIONS }),
          ...modelFiles('named', {
            versions: [1, 2, 3],
            config: fakeConfig('version_policy { specific { versions: [1, 3, 9] } }'),
          }),
          'latest/warmup/x': 'x',
        }),
      ],
    })
    expect(server.modelMetadata('latest', '').versions).toEqual(['10'])
    expect(server.modelMetadata('all', '').versions).toEqual(['1', '2'])
    expect(server.modelMetadata('named', '').versions).toEqual(['1', '3'])
    expect(log.lines).toContain(
      "W ignore version directory '03' of model 'latest' which contains leading zeros in its directory name",
    )
    expect(log.lines.some((line) => line.includes("'abc' of model 'latest'"))).toBe(true)
    expect(log.lines.some((line) => line.includes('warmup'))).toBe(false)
    expect(log.lines).toContain(
      "E version 9 is specified for model 'named', but the version directory is not present",
    )
  })

  it('lets a broken model take nobody down and says in the index what is wrong with it', async () => {
    const { server } = await startServer({
      backend: pickyBackend(),
      repositories: [
        createRepository({
          ...modelFiles('good'),
          ...modelFiles('broken', { mark: 'broken' }),
          ...modelFiles('backend', { config: fakeConfig('', 'nope') }),
          ...modelFiles('config', { config: 'max_batch_size: "three"' }),
          ...modelFiles('noversion', { versions: [] }),
          ...modelFiles('elsewhere', { config: `name: "other" ${fakeConfig()}` }),
          ...modelFiles('ensemble', {
            config: `platform: "ensemble" max_batch_size: 1
              input [ { name: "I" data_type: TYPE_FP32 dims: [1] } ]
              output [ { name: "O" data_type: TYPE_FP32 dims: [1] } ]
              ensemble_scheduling { step [ { model_name: "good" model_version: -1
                input_map { key: "INPUT0" value: "I" } output_map { key: "OUTPUT0" value: "O" } } ] }`,
          }),
        }),
      ],
    })
    const index = new Map((await server.index(false)).map((entry) => [entry.name, entry]))
    expect(index.get('good')).toEqual({ name: 'good', version: '1', state: 'READY' })
    const reason = (name: string) => {
      expect(index.get(name)?.state, name).toBe('UNAVAILABLE')
      return index.get(name)?.reason
    }
    expect(reason('broken')).toBe('Internal: file is broken')
    expect(reason('backend')).toContain("unable to find backend library for backend 'nope'")
    expect(reason('config')).toContain('config.pbtxt:1:17')
    expect(reason('noversion')).toContain(
      "at least one version must be available under the version policy of model 'noversion'",
    )
    expect(reason('elsewhere')).toContain(
      "unexpected directory name 'elsewhere' for model 'other', directory name must equal model name",
    )
    expect(reason('ensemble')).toBe(
      'Invalid argument: in ensemble ensemble, ensemble tensor I: inconsistent data type: TYPE_FP32 is inferred from model ensemble while TYPE_INT32 is inferred from model good',
    )
    expect(await infer(server, 'good', [1, 2])).toEqual([1, 2])
    expect(await server.index(true)).toEqual([{ name: 'good', version: '1', state: 'READY' }])
    expect(server.startupErrors).toHaveLength(6)
  })

  it('serves no model that lies in two repositories, and every other', async () => {
    const { server } = await startServer({
      repositories: [
        createRepository({ ...modelFiles('both'), ...modelFiles('first') }),
        createRepository({ ...modelFiles('both'), ...modelFiles('second') }),
      ],
    })
    expect(server.modelReady('first', '')).toBe(true)
    expect(server.modelReady('second', '')).toBe(true)
    expect(() => server.model('both', '')).toThrow("'both' is not found")
    expect(await server.index(false)).toContainEqual({
      name: 'both',
      state: 'UNAVAILABLE',
      reason: 'model appears in two or more repositories',
    })
    expect(await server.index(true)).toContainEqual(expect.objectContaining({ name: 'both' }))
  })

  it('loads as many versions at once as it was told', async () => {
    let running = 0
    let most = 0
    const backend = createFakeBackend({
      async onLoad() {
        most = Math.max(most, ++running)
        await turns(2)
        running--
      },
    })
    const files = Object.assign({}, ...Array.from('abcdefgh', (name) => modelFiles(name)))
    await startServer({
      backend,
      repositories: [createRepository(files)],
      options: { modelLoadThreadCount: 3 },
    })
    expect(most).toBe(3)
  })

  it('tries a failed load again as often as it was told', async () => {
    let attempts = 0
    const flaky = (failures: number) =>
      createFakeBackend({
        onLoad() {
          if (++attempts <= failures) throw new Error('not yet')
        },
      })
    const options = { modelLoadRetryCount: 2 }
    const repositories = [createRepository(modelFiles('m'))]
    const lucky = await startServer({ backend: flaky(2), repositories, options })
    expect(lucky.server.modelReady('m', '')).toBe(true)
    attempts = 0
    const unlucky = await startServer({ backend: flaky(3), repositories, options })
    expect(unlucky.server.modelReady('m', '')).toBe(false)
    expect(attempts).toBe(3)
  })

  it('prefers the configuration that was asked for by name', async () => {
    const files = {
      ...modelFiles('custom'),
      'custom/configs/h100.pbtxt': fakeConfig(
        'parameters { key: "which" value { string_value: "h100" } }',
      ),
      ...modelFiles('plain'),
    }
    const { server } = await startServer({
      repositories: [createRepository(files)],
      options: { modelConfigName: 'h100' },
    })
    expect(server.modelConfig('custom', '').parameters).toEqual({ which: { string_value: 'h100' } })
    expect(server.modelReady('plain', '')).toBe(true)
  })

  it('loads passive instances and gives them nothing to do', async () => {
    const groups = fakeConfig(`instance_group [
      { kind: KIND_CPU count: 1 passive: true }, { kind: KIND_CPU count: 1 } ]`)
    const backend = createFakeBackend({ paused: true })
    const { server } = await startServer({
      backend,
      repositories: [createRepository(modelFiles('m', { config: groups }))],
    })
    const answers = [infer(server, 'm', [1, 2]), infer(server, 'm', [3, 4])]
    await turns()
    expect(backend.instances.map((instance) => instance.running)).toEqual([false, true])
    backend.instances[1]!.finish()
    await turns()
    expect(backend.instances.map((instance) => instance.running)).toEqual([false, true])
    backend.instances[1]!.finish()
    expect(await Promise.all(answers)).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it('needs a configuration where completing it is disabled', async () => {
    const { server } = await startServer({
      repositories: [createRepository(modelFiles('m', { config: null }))],
      options: { disableAutoComplete: true },
    })
    expect((await server.index(false))[0]?.reason).toContain("no config.pbtxt for model 'm'")
  })

  it('hands a backend its settings over those for any backend', async () => {
    const { backend } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: {
        backendConfig: new Map([
          [
            '',
            new Map([
              ['a', 'any'],
              ['b', 'any'],
            ]),
          ],
          ['fake', new Map([['b', 'mine']])],
          ['other', new Map([['c', 'theirs']])],
        ]),
      },
    })
    expect([...(backend.loads[0]?.settings ?? [])]).toEqual([
      ['a', 'any'],
      ['b', 'mine'],
    ])
  })
})
