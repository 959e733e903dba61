import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { copyFolders } from '../../../adapters/stores/copy-folders.ts'
import { digestFile, parseDigests } from '../../../adapters/stores/digest-file.ts'
import { diskStore } from '../../../adapters/stores/disk.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { verifiedStore } from '../../../adapters/stores/verified.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-verified-'))
let count = 0
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function put(root: string, path: string, content: string | Uint8Array): void {
  mkdirSync(join(root, dirname(path)), { recursive: true })
  writeFileSync(join(root, path), content)
}

/** A repository, with what the real sha256sum says of it. */
function repository(files: Readonly<Record<string, string>> = {}) {
  const root = join(folder, `repository-${count++}`)
  for (const [path, content] of STORE_FILES) put(root, path, content)
  for (const [path, content] of Object.entries(files)) put(root, path, content)
  return { root, list: `${root}.sha256`, copies: `${root}.copies` }
}

function sha256sum({ root, list }: { readonly root: string; readonly list: string }): void {
  const text = execFileSync('sh', ['-c', 'find . -type f -exec sha256sum {} +'], { cwd: root })
  writeFileSync(list, text)
}

async function open(at: ReturnType<typeof repository>): Promise<ModelStore> {
  const folders = copyFolders(at.copies)
  const digests = await digestFile(at.list)
  return verifiedStore({ store: diskStore({ root: at.root }), digests, folders })
}

async function pinned(at: ReturnType<typeof repository>): Promise<ModelStore> {
  return (await (await open(at)).pin?.('simple')) ?? expect.unreachable()
}

storeContract('verifiedStore on a disk', async () => {
  const at = repository()
  return {
    store: verifiedStore({
      store: diskStore({ root: at.root }),
      digests: { check: async () => {} },
      folders: copyFolders(at.copies),
    }),
    replace: async (path, content) => put(at.root, path, content),
  }
})

describe('verifiedStore', () => {
  it('reads what is listed and nothing else', async () => {
    const at = repository()
    sha256sum(at)
    const store = await open(at)
    expect(new TextDecoder().decode(await store.read('simple/1/model.onnx'))).toBe('one')
    put(at.root, 'simple/1/model.onnx', 'eno')
    await expect(store.read('simple/1/model.onnx')).rejects.toThrow(
      /^'simple\/1\/model\.onnx' of '.*' is not as '.*' lists it \(--model-digest-file\): its SHA-256 is [0-9a-f]{64}$/,
    )
  })

  it('takes no file for another one, nor one version for another', async () => {
    const at = repository()
    sha256sum(at)
    put(at.root, 'simple/2/model.onnx', 'one')
    await expect((await open(at)).read('simple/2/model.onnx')).rejects.toThrow(/2\/model\.onnx/)
  })

  it('loads from a copy, which stays as it is when the original is replaced', async () => {
    const at = repository()
    sha256sum(at)
    const view = await pinned(at)
    const release = await view.localise?.('simple/1')
    const path = (await view.localPath?.('simple/1/model.onnx')) ?? ''
    expect(path.startsWith(at.copies)).toBe(true)
    put(at.root, 'simple/1/model.onnx', 'evil')
    expect(readFileSync((await view.localPath?.('simple/1/model.onnx')) ?? '', 'utf8')).toBe('one')
    expect(statSync(dirname(path)).mode & 0o077).toBe(0)
    release?.()
    release?.()
    await expect.poll(() => existsSync(path)).toBe(false)
    await expect((await pinned(at)).localise?.('simple/1')).rejects.toThrow(/1\/model\.onnx/)
  })

  it('keeps the copies of one load when another one is released', async () => {
    const at = repository()
    sha256sum(at)
    const store = await open(at)
    const [first, second] = [await store.pin?.('simple'), await store.pin?.('simple')]
    const releaseFirst = await first?.localise?.('simple/1')
    await second?.localise?.('simple/1')
    const kept = (await second?.localPath?.('simple/1/model.onnx')) ?? ''
    const gone = (await first?.localPath?.('simple/1/model.onnx')) ?? ''
    expect(kept).not.toBe(gone)
    releaseFirst?.()
    await expect.poll(() => existsSync(gone)).toBe(false)
    expect(readFileSync(kept, 'utf8')).toBe('one')
  })

  it('refuses a folder for any file that is not listed, and leaves nothing of it', async () => {
    const at = repository()
    sha256sum(at)
    put(at.root, 'simple/2/data/helper.py', 'import os')
    const view = await pinned(at)
    await expect(view.localise?.('simple/2')).rejects.toThrow(/'simple\/2\/data\/helper\.py'/)
    await expect.poll(() => readdirSync(at.copies)).toEqual([])
    await expect(view.localPath?.('simple/2/data/helper.py')).rejects.toThrow(/helper\.py/)
  })

  it('copies what lies beside the versions when it is asked for, programs as such', async () => {
    const at = repository({ 'simple/tool': '#!/bin/sh' })
    chmodSync(join(at.root, 'simple/tool'), 0o755)
    sha256sum(at)
    const view = await pinned(at)
    await view.localise?.('simple/1')
    const path = (await view.localPath?.('simple/tool')) ?? ''
    expect(statSync(path).mode & 0o777).toBe(0o700)
    put(at.root, 'simple/other', 'x')
    await expect(view.localPath?.('simple/other')).rejects.toThrow(/'simple\/other'/)
    await expect(view.localPath?.('simple/nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('verifies files in memory, and those below the folder that an archive lies in', async () => {
    const at = repository()
    sha256sum(at)
    const files = new Map([['model/simple/1/model.onnx', new TextEncoder().encode('one')]])
    const store = verifiedStore({
      store: memoryStore({ files }),
      digests: await digestFile(at.list),
      folder: 'model',
      folders: copyFolders(at.copies),
    })
    expect(store.localPath).toBeUndefined()
    expect((await store.read('model/simple/1/model.onnx')).length).toBe(3)
    files.set('model/simple/1/model.onnx', new TextEncoder().encode('two'))
    await expect(store.read('model/simple/1/model.onnx')).rejects.toThrow(/SHA-256/)
  })
})

describe('digestFile', () => {
  it('reads what sha256sum writes: text, binary and escaped names', () => {
    const digest = 'a'.repeat(64)
    const text = `${digest}  ./a b/1/x\n${digest} *y\r\n\n\\${digest.toUpperCase()}  line\\nend\\\\\n`
    expect([...parseDigests(text, 'list')]).toEqual([[digest, ['./a b/1/x', 'y', 'line\nend\\']]])
  })

  it('says which line is none', () => {
    expect(() => parseDigests(`${'a'.repeat(64)}  x\nabc  y\n`, '/etc/list')).toThrow(
      "cannot use --model-digest-file '/etc/list': line 2 is no line of sha256sum",
    )
  })

  it('is read again when it changed, and lets nothing pass while it cannot be read', async () => {
    const at = repository()
    sha256sum(at)
    const store = await open(at)
    put(at.root, 'simple/1/model.onnx', 'new')
    await expect(store.read('simple/1/model.onnx')).rejects.toThrow(/SHA-256/)
    sha256sum(at)
    expect((await store.read('simple/1/model.onnx')).length).toBe(3)
    appendFileSync(at.list, 'nonsense\n')
    await expect(store.read('simple/1/model.onnx')).rejects.toThrow(/line \d+ is no line/)
    rmSync(at.list)
    await expect(store.read('simple/1/model.onnx')).rejects.toThrow(
      /cannot use --model-digest-file/,
    )
    await expect(open(at)).rejects.toThrow(/ENOENT/)
  })
})

describe('copyFolders', () => {
  it('removes what a killed process left, and nothing of one that runs', async () => {
    const parent = join(folder, 'shared')
    const own = await copyFolders(parent).create()
    const [machine, pid, start] = (own.split('/').at(-1) ?? '').split('-')
    const dead = join(parent, `${machine}-${pid}-${Number(start) - 1}-0`)
    const elsewhere = join(parent, `abc-1-1-0`)
    for (const left of [dead, elsewhere]) mkdirSync(left)
    const folders = copyFolders(parent)
    const other = await folders.create()
    const kept = [own, elsewhere].map((one) => one.slice(parent.length + 1)).sort()
    expect(readdirSync(parent)).toHaveLength(3)
    await folders.close()
    expect(existsSync(other)).toBe(false)
    expect(readdirSync(parent).sort()).toEqual(kept)
  })

  it('refuses a folder that others can write to', async () => {
    const parent = join(folder, 'open')
    mkdirSync(parent)
    chmodSync(parent, 0o777)
    await expect(copyFolders(parent).create()).rejects.toThrow(/another user/)
  })
})
