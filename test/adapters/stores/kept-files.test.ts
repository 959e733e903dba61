import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { modelCache } from '../../../adapters/stores/cache.ts'
import { keptFiles } from '../../../adapters/stores/kept-files.ts'
import { remoteStore } from '../../../adapters/stores/remote.ts'
import type { RemoteFiles } from '../../../adapters/stores/remote-types.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { UnreachableError } from '../../../core/repository/replaced.ts'
import { testLog } from '../../helpers/test-log.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nereid-kept-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A network that is there or is not. */
function network(contents: Record<string, string>): RemoteFiles & { up: boolean; asked: number } {
  const bytes = (path: string): Uint8Array => new TextEncoder().encode(contents[path] ?? '')
  const remote = {
    root: 's3://bucket/models',
    up: true,
    asked: 0,
    ask() {
      remote.asked++
      if (!remote.up) throw new UnreachableError('the network is down')
    },
    async list(path: string) {
      remote.ask()
      const paths = Object.keys(contents).filter(
        (one) => path === '' || one === path || one.startsWith(`${path}/`),
      )
      const files = paths.map((one) => ({
        path: one,
        size: bytes(one).length,
        tag: contents[one] ?? '',
      }))
      return { files, folders: [] }
    },
    async open({ path }: { path: string }) {
      remote.ask()
      return (async function* () {
        yield bytes(path)
      })()
    },
    close() {},
  }
  return remote
}

/** As a server that starts now. */
function start(files: RemoteFiles): { store: ModelStore; lines: string[] } {
  const { log, lines } = testLog()
  const local = modelCache({ folder, maxBytes: 0, log })
  return { store: remoteStore({ files: keptFiles({ files, folder, log }), local }), lines }
}

async function load(store: ModelStore): Promise<string> {
  const all = await store.pin?.('')
  expect((await all?.list(''))?.map(({ path }) => path)).toEqual(['m'])
  const view = await store.pin?.('m')
  await view?.localise?.('m/1')
  const text = (bytes?: Uint8Array): string => new TextDecoder().decode(bytes)
  return text(await view?.read('m/config.pbtxt')) + text(await view?.read('m/1/model.onnx'))
}

describe('a machine that starts without its network', () => {
  it('serves what it had when there was one, and says so once', async () => {
    const remote = network({ 'm/config.pbtxt': 'config ', 'm/1/model.onnx': 'model' })
    expect(await load(start(remote).store)).toBe('config model')
    remote.up = false
    remote.asked = 0
    const { store, lines } = start(remote)
    expect(await load(store)).toBe('config model')
    expect(remote.asked).toBe(1)
    expect(lines.filter((line) => line.startsWith('warning'))).toEqual([
      'warning: the network is down; going on with what it had when it was reached last',
    ])
  })

  it('has nothing to serve when it never had a network', async () => {
    const remote = network({ 'm/1/model.onnx': 'model' })
    remote.up = false
    await expect(start(remote).store.pin?.('')).rejects.toThrow('the network is down')
  })

  it('says what is out of reach once it was reached', async () => {
    const remote = network({ 'm/config.pbtxt': 'config ', 'm/1/model.onnx': 'model' })
    const { store } = start(remote)
    await load(store)
    remote.up = false
    await expect(store.pin?.('')).rejects.toThrow('the network is down')
  })

  it('does not believe what others could have put there', async () => {
    const remote = network({ 'm/config.pbtxt': 'config ', 'm/1/model.onnx': 'model' })
    await load(start(remote).store)
    remote.up = false
    chmodSync(join(folder, 'v1'), 0o777)
    await expect(start(remote).store.pin?.('')).rejects.toThrow('the network is down')
  })

  it('keeps no small files that are in the repository no more', async () => {
    const contents: Record<string, string> = { 'm/config.pbtxt': 'one', 'm/1/model.onnx': 'model' }
    const remote = network(contents)
    const { store } = start(remote)
    for (const config of ['one', 'two', 'three']) {
      contents['m/config.pbtxt'] = config
      expect(await load(store)).toBe(`${config}model`)
    }
    const [place = ''] = readdirSync(join(folder, 'v1/kept'))
    expect(readdirSync(join(folder, 'v1/kept', place))).toHaveLength(3)
  })

  it('serves also where nothing can be kept', async () => {
    const { log } = testLog()
    mkdirSync(join(folder, 'v1'), { mode: 0o700 })
    chmodSync(join(folder, 'v1'), 0o777)
    const remote = network({ 'm/config.pbtxt': 'config' })
    const store = remoteStore({ files: keptFiles({ files: remote, folder, log }) })
    expect(new TextDecoder().decode(await store.read('m/config.pbtxt'))).toBe('config')
  })
})
