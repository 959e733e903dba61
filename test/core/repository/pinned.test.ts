import { describe, expect, it } from 'vitest'
import type { ModelStore } from '../../../core/platform.ts'
import { fileMapStore } from '../../../core/repository/file-map.ts'
import {
  MAX_FRESH_STARTS,
  ReplacedError,
  UnreachableError,
} from '../../../core/repository/replaced.ts'
import {
  createRepository,
  fakeConfig,
  type Harness,
  modelFiles,
  pickyBackend,
  type Repository,
  startServer,
  turns,
} from './harness.ts'

/** A store as they are a network away: what was pinned and is replaced cannot be read any more. */
function pinningStore(
  { files }: Repository,
  hooks: { localise?: (path: string) => void; read?: (path: string) => void } = {},
): ModelStore & { readonly pins: string[]; readonly held: string[] } {
  const tags = new Map<Uint8Array, string>()
  const tagOf = (content: Uint8Array): string => {
    const tag = tags.get(content) ?? String(tags.size)
    tags.set(content, tag)
    return tag
  }
  const pins: string[] = []
  const held: string[] = []
  return {
    root: 'far',
    // Whoever scans or loads without pinning what it reads shall be seen.
    list: () => Promise.reject(new Error('listed without a pin')),
    stat: () => Promise.reject(new Error('looked at without a pin')),
    read: () => Promise.reject(new Error('read without a pin')),
    pins,
    held,
    async pin(path) {
      pins.push(path)
      const then = new Map(files)
      const view = fileMapStore({ root: 'far', files: then })
      return {
        ...view,
        async stat(file) {
          const content = then.get(file)
          if (content === undefined) return view.stat(file)
          return { kind: 'file', size: content.length, tag: tagOf(content) }
        },
        async read(file) {
          hooks.read?.(file)
          const content = then.get(file)
          if (content === undefined || content !== files.get(file)) throw new ReplacedError(file)
          return content
        },
        async localise(folder) {
          hooks.localise?.(folder)
          held.push(folder)
          return () => void held.splice(held.indexOf(folder), 1)
        },
      }
    },
  }
}

const SECOND = 1e9

const start = (store: ModelStore, mode: 'none' | 'explicit' | 'poll'): Promise<Harness> =>
  startServer({
    repositories: [],
    stores: [store],
    backend: pickyBackend(),
    options: { modelControlMode: mode, repositoryPollSecs: 1 },
  })

describe('a repository that is a network away', () => {
  it('is scanned once as a whole, each model once more for its load', async () => {
    const repository = createRepository({ ...modelFiles('a'), ...modelFiles('b') })
    const store = pinningStore(repository)
    const { server } = await start(store, 'none')
    expect(server.startupErrors).toEqual([])
    expect(server.modelReady('a', '') && server.modelReady('b', '')).toBe(true)
    expect(store.pins.sort()).toEqual(['', 'a', 'b'])
  })

  it('whose model is replaced while it is loaded is loaded anew as a whole', async () => {
    const repository = createRepository(modelFiles('m', { mark: 'old' }))
    let replaced = false
    const store = pinningStore(repository, {
      localise() {
        if (replaced) return
        replaced = true
        repository.put({ 'm/config.pbtxt': fakeConfig('# new'), 'm/1/model.bin': 'new' })
      },
    })
    const { server, log } = await start(store, 'explicit')
    await server.load('m', {})
    expect(server.modelReady('m', '')).toBe(true)
    expect(log.lines).toContain("I files of model 'm' were replaced while it was loaded: once more")
  })

  it('whose model never comes to rest fails the load with the reason, and what served goes on', async () => {
    const repository = createRepository(modelFiles('m'))
    let busy = false
    let tries = 0
    const store = pinningStore(repository, {
      localise() {
        if (!busy) return
        tries++
        repository.put({ 'm/1/model.bin': `try ${tries}` })
      },
    })
    const { server } = await start(store, 'explicit')
    await server.load('m', {})
    busy = true
    repository.put({ 'm/1/model.bin': 'next' })
    await expect(server.load('m', {})).rejects.toThrow(
      /^load failed for model 'm': 'm\/1\/model.bin' was replaced while it was read/,
    )
    expect(tries).toBe(MAX_FRESH_STARTS + 1)
    expect(server.modelReady('m', '')).toBe(true)
  })

  it('has its local copies back when their models are closed, or failed to load', async () => {
    const repository = createRepository({
      ...modelFiles('m'),
      ...modelFiles('wrong', { mark: 'broken' }),
    })
    const store = pinningStore(repository)
    const { server } = await start(store, 'explicit')
    await server.load('m', {})
    await expect(server.load('wrong', {})).rejects.toThrow()
    expect(store.held).toEqual(['m/1'])
    repository.put(modelFiles('m', { mark: 'next' }))
    await server.load('m', {})
    await turns()
    expect(store.held).toEqual(['m/1'])
    await server.unload('m', false)
    expect(store.held).toEqual([])
  })

  it('that breaks off in a load is tried again by the next poll, a model that is wrong is not', async () => {
    const repository = createRepository({
      ...modelFiles('m'),
      ...modelFiles('wrong', { mark: 'broken' }),
    })
    let reachable = false
    const localised: string[] = []
    const store = pinningStore(repository, {
      localise(path) {
        localised.push(path)
        if (!reachable && path.startsWith('m/')) throw new UnreachableError('the network is gone')
      },
    })
    const { server, clock } = await start(store, 'poll')
    expect(server.modelReady('m', '')).toBe(false)
    const poll = async (): Promise<void> => {
      clock.advance(SECOND)
      await turns(60)
    }
    await poll()
    expect(server.modelReady('m', '')).toBe(false)
    reachable = true
    await poll()
    expect(server.modelReady('m', '')).toBe(true)
    await poll()
    expect(localised.sort()).toEqual(['m/1', 'm/1', 'm/1', 'wrong/1'])
    await server.close()
  })
})
