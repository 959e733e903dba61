import { describe, expect, it } from 'vitest'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import { ensemble, failure, SOME, states } from './ensemble-files.ts'
import {
  createRepository,
  EXPLICIT,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
  turns,
} from './harness.ts'

describe('at start', () => {
  it('ensembles load after the models they are made of, nested ones too, and answer', async () => {
    const order: string[] = []
    const backend = createFakeBackend({
      async onLoad({ name }) {
        await turns(name === 'b' ? 5 : 1)
        order.push(name)
      },
    })
    const { server } = await startServer({
      backend,
      repositories: [
        createRepository({
          ...ensemble('outer', ['inner', 'b']),
          ...ensemble('inner', ['a', 'b']),
          ...modelFiles('a'),
          ...modelFiles('b'),
        }),
      ],
    })
    expect(order).toEqual(['a', 'b'])
    expect(server.startupErrors).toEqual([])
    expect(server.ready()).toBe(true)
    expect(await infer(server, 'outer', [3, 4])).toEqual([3, 4])
    expect(server.model('b', '').stats.success.count).toBe(2)
    expect(server.model('inner', '').stats.success.count).toBe(1)
    expect(server.modelMetadata('outer', '').platform).toBe('ensemble')
    expect(server.inflight).toBe(0)
    await server.close()
  })

  it('an ensemble that cannot run is named with the reason, and the others serve', async () => {
    const { server } = await startServer({
      backend: pickyBackend(),
      repositories: [
        createRepository({
          ...modelFiles('good'),
          ...modelFiles('bad', { mark: 'broken' }),
          ...ensemble('fine', ['good']),
          ...ensemble('ghostly', ['good', 'ghost']),
          ...ensemble('onbad', ['bad']),
          ...ensemble('onit', ['ghostly']),
          ...ensemble('nine', ['good'], { version: 9 }),
          ...ensemble('wide', ['good'], { dims: 3 }),
          ...ensemble('ring', ['gnir']),
          ...ensemble('gnir', ['ring']),
          ...ensemble('self', ['self']),
        }),
      ],
    })
    const text = (name: string): string | undefined =>
      server.startupErrors.find((line) => line.startsWith(`load failed for model '${name}': `))
    expect(text('ghostly')).toBe(
      "load failed for model 'ghostly': ensemble ghostly contains models that are not available or ambiguous: ghost",
    )
    expect(text('onbad')).toMatch(
      /: ensemble 'onbad' depends on 'bad' which has no loaded version\. Model 'bad' loading failed with error: version 1 is at UNAVAILABLE state: Internal: file is broken;$/,
    )
    expect(text('onit')).toBe(
      "load failed for model 'onit': ensemble 'onit' depends on 'ghostly' which is not valid. Model 'ghostly' failed with error: ensemble ghostly contains models that are not available or ambiguous: ghost",
    )
    expect(text('nine')).toBe(
      "load failed for model 'nine': ensemble 'nine' depends on 'good' whose required version 9 is not loaded.",
    )
    expect(text('wide')).toBe(
      "load failed for model 'wide': in ensemble wide, ensemble tensor INPUT0: inconsistent shape: [-1,3] is inferred from model wide while [-1,2] is inferred from model good",
    )
    expect(text('ring')).toBe(
      "load failed for model 'ring': circular dependency between ensembles: ring -> ... -> gnir -> ring",
    )
    expect(text('gnir')).toBe(
      "load failed for model 'gnir': circular dependency between ensembles: gnir -> ... -> ring -> gnir",
    )
    expect(text('self')).toBe(
      "load failed for model 'self': circular dependency between ensembles: self -> ... -> self -> self",
    )
    expect(await infer(server, 'fine', [1, 2])).toEqual([1, 2])
    expect((await server.index(false)).find(({ name }) => name === 'ghostly')).toEqual({
      name: 'ghostly',
      state: 'UNAVAILABLE',
      reason:
        'Invalid argument: ensemble ghostly contains models that are not available or ambiguous: ghost',
    })
    expect(server.ready()).toBe(false)
    await server.close()
  })
})

describe('loading an ensemble by name', () => {
  it('loads what it is made of first', async () => {
    const { server } = await startServer({
      options: SOME,
      repositories: [
        createRepository({
          ...ensemble('outer', ['inner']),
          ...ensemble('inner', ['a', 'b']),
          ...modelFiles('a'),
          ...modelFiles('b'),
          ...modelFiles('other'),
        }),
      ],
    })
    await server.load('outer', {})
    expect(await states(server)).toEqual({
      a: 'READY',
      b: 'READY',
      inner: 'READY',
      outer: 'READY',
      other: undefined,
    })
    expect(await infer(server, 'outer', [5, 6])).toEqual([5, 6])
  })

  it('takes a new version of what it is made of along', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server } = await startServer({ options: SOME, repositories: [repository] })
    await server.load('ens', {})
    repository.put(modelFiles('a', { versions: [2] }))
    await server.load('ens', {})
    expect(server.model('a', '').version).toBe(2)
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
  })

  it('fails with the reason of the model that failed, and loads it when that is repaired', async () => {
    const repository = createRepository({
      ...ensemble('ens', ['a', 'ghost']),
      ...modelFiles('a', { mark: 'broken' }),
    })
    const { server } = await startServer({
      options: SOME,
      backend: pickyBackend(),
      repositories: [repository],
    })
    expect(await failure(server.load('ens', {}))).toBe(
      "load failed for model 'ens': ensemble ens contains models that are not available or ambiguous: ghost\n",
    )
    repository.put(modelFiles('ghost'))
    expect(await failure(server.load('ens', {}))).toMatch(
      /^load failed for model 'ens': ensemble 'ens' depends on 'a' which has no loaded version\. Model 'a' loading failed with error: version 1 is at UNAVAILABLE state: .*file is broken;\n$/,
    )
    repository.put(modelFiles('a'))
    await server.load('ens', {})
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
  })

  it('keeps the old one in service when the new one cannot run', async () => {
    const repository = createRepository({ ...ensemble('ens', ['a']), ...modelFiles('a') })
    const { server } = await startServer({ options: EXPLICIT, repositories: [repository] })
    repository.put(ensemble('ens', ['ghost']))
    expect(await failure(server.load('ens', {}))).toContain('ghost')
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
    await server.unload('a', false)
    expect((await states(server))['ens']).toBe('UNAVAILABLE')
    await server.load('a', {})
    expect(await infer(server, 'ens', [1, 2])).toEqual([1, 2])
  })

  it('in a circle ends with an error, from both ends at once', async () => {
    const { server } = await startServer({
      options: SOME,
      repositories: [createRepository({ ...ensemble('a', ['b']), ...ensemble('b', ['a']) })],
    })
    const errors = await Promise.all([failure(server.load('a', {})), failure(server.load('b', {}))])
    for (const error of errors) expect(error).toContain('circular dependency between ensembles')
    await server.close()
  })
})
