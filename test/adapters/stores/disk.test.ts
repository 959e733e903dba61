import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { diskStore } from '../../../adapters/stores/disk.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'

let folder = ''
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nereid-store-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function repository(): Promise<string> {
  const root = join(folder, `repository-${count++}`)
  for (const [path, content] of STORE_FILES) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

storeContract('diskStore', async () => {
  const root = await repository()
  return {
    store: diskStore({ root }),
    replace: (path, content) => writeFile(join(root, path), content),
  }
})

describe('diskStore', () => {
  it('tells where on the disk a file lies', async () => {
    const root = await repository()
    const path = await diskStore({ root }).localPath?.('simple/1/model.onnx')
    expect(path).toBe(join(root, 'simple/1/model.onnx'))
    await expect(diskStore({ root }).localPath?.('simple/9')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('follows links that stay in the repository', async () => {
    const root = await repository()
    await symlink('2', join(root, 'simple/7'))
    const store = diskStore({ root })
    expect(await store.list('simple')).toContainEqual({ path: 'simple/7', kind: 'directory' })
    expect(new TextDecoder().decode(await store.read('simple/7/model.onnx'))).toBe('two')
  })

  it('serves a repository whose root is itself a link', async () => {
    const root = await repository()
    await symlink(root, `${root}-link`)
    const store = diskStore({ root: `${root}-link` })
    expect(new TextDecoder().decode(await store.read('simple/1/model.onnx'))).toBe('one')
  })

  it('refuses links that lead out of the repository, unless told to follow them', async () => {
    const root = await repository()
    const elsewhere = await repository()
    await symlink(join(elsewhere, 'simple/1'), join(root, 'simple/7'))
    await symlink('/etc/passwd', join(root, 'simple/labels.txt'))
    const store = diskStore({ root })
    for (const path of ['simple/7/model.onnx', 'simple/labels.txt']) {
      await expect(store.read(path)).rejects.toMatchObject({ code: 'INVALID_ARG' })
      await expect(store.stat(path)).rejects.toMatchObject({ code: 'INVALID_ARG' })
      await expect(store.localPath?.(path)).rejects.toMatchObject({ code: 'INVALID_ARG' })
    }
    expect((await store.list('simple')).map((one) => one.path)).not.toContain('simple/7')
    const open = diskStore({ root, allowSymlinks: true })
    expect(new TextDecoder().decode(await open.read('simple/7/model.onnx'))).toBe('one')
  })

  it('does not take a sibling folder with the same beginning for the repository', async () => {
    const root = await repository()
    await mkdir(`${root}x`)
    await writeFile(`${root}x/secret`, 'secret')
    await symlink(`${root}x/secret`, join(root, 'simple/secret'))
    await expect(diskStore({ root }).read('simple/secret')).rejects.toMatchObject({
      code: 'INVALID_ARG',
    })
  })

  it('ignores dangling links, link loops and pipes', async () => {
    const root = await repository()
    await symlink('nowhere', join(root, 'dangling'))
    await symlink('loop', join(root, 'loop'))
    execFileSync('mkfifo', [join(root, 'pipe')])
    const store = diskStore({ root })
    const names = (await store.list('')).map((one) => one.path).sort()
    expect(names).toEqual(['plain.txt', 'simple', 'simpler'])
    await expect(store.read('pipe')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('says that a root is not there by having nothing at it', async () => {
    const store = diskStore({ root: join(folder, 'nowhere') })
    expect(await store.stat('')).toBeUndefined()
    expect(await store.list('')).toEqual([])
  })
})
