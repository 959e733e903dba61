import { describe, expect, it } from 'vitest'
import {
  ALL_VERSIONS,
  createRepository,
  EXPLICIT,
  infer,
  modelFiles,
  startServer,
} from './harness.ts'

describe('loading with overrides', () => {
  const override = JSON.stringify({
    backend: 'fake',
    max_batch_size: 2,
    input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [2] }],
    output: [{ name: 'OUTPUT0', data_type: 'TYPE_INT32', dims: [2] }],
  })

  it('takes a config in place of the file, until the next load without one', async () => {
    const { server } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    await server.load('m', { config: override })
    expect(server.modelConfig('m', '').max_batch_size).toBe(2)
    await server.load('m', {})
    expect(server.modelConfig('m', '').max_batch_size).toBe(8)
  })

  it('refuses a config that is none and goes on serving', async () => {
    const { server, log } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    for (const config of ['{not json', '{"nope": 1}', '[]', '']) {
      await expect(server.load('m', { config })).rejects.toMatchObject({
        code: 'INTERNAL',
        message: "failed to load 'm', failed to poll from model repository",
      })
    }
    expect(log.lines.some((line) => line.includes('config override'))).toBe(true)
    expect(server.modelReady('m', '')).toBe(true)
    expect(server.ready()).toBe(true)
  })

  it('serves files of the request, and nothing but them', async () => {
    const { server, backend } = await startServer({
      repositories: [createRepository(modelFiles('m', { versions: [1, 2], config: ALL_VERSIONS }))],
      options: EXPLICIT,
    })
    const files = new Map([['7/model.bin', new TextEncoder().encode('inline')]])
    await server.load('m', { config: override, files })
    expect(server.modelMetadata('m', '').versions).toEqual(['7'])
    const source = backend.loads.at(-1)
    expect(new TextDecoder().decode(await source?.store.read('m/7/model.bin'))).toBe('inline')
    expect(await source?.store.stat('m/1')).toBeUndefined()
    expect(await source?.store.stat('m/config.pbtxt')).toBeUndefined()
    expect((await server.index(true)).map((entry) => entry.version)).toEqual(['7'])
    await server.load('m', {})
    expect(server.modelMetadata('m', '').versions).toEqual(['1', '2'])
  })

  it('serves a model that no repository has, from files alone', async () => {
    const { server } = await startServer({ repositories: [createRepository()], options: EXPLICIT })
    const files = new Map([['1/model.bin', new Uint8Array(3)]])
    await server.load('inline', { config: override, files })
    expect(await infer(server, 'inline', [1, 2])).toEqual([1, 2])
    await expect(server.load('inline', {})).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(server.modelReady('inline', '')).toBe(true)
  })

  it('needs a config with files', async () => {
    const { server, log } = await startServer({
      repositories: [createRepository(modelFiles('m'))],
      options: EXPLICIT,
    })
    const files = new Map([['1/model.bin', new Uint8Array(3)]])
    await expect(server.load('m', { files })).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(log.lines.at(-1)).toContain(
      "Load parameter 'config' must be specified for model file override",
    )
  })
})
