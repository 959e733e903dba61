import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { modelCache } from '../../../adapters/stores/cache.ts'
import { remoteStore } from '../../../adapters/stores/remote.ts'
import { s3Files } from '../../../adapters/stores/s3.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { type FaultProxy, faultProxy } from '../../helpers/fault-proxy.ts'
import { NO_S3, type TestS3, testS3 } from '../../helpers/s3-server.ts'
import { testLog } from '../../helpers/test-log.ts'

if (NO_S3 !== undefined) console.log(`skipped: what goes wrong with S3: ${NO_S3}`)

const LARGE = new Uint8Array(6_000_000).map((_, i) => (i * 2_654_435_761) >>> 24)

describe.skipIf(NO_S3 !== undefined)('a model on S3', () => {
  let s3: TestS3
  let proxy: FaultProxy
  let folder = ''
  let prefix = ''
  let count = 0
  const opened: { close(): void }[] = []

  beforeAll(async () => {
    s3 = await testS3()
  })
  afterAll(() => s3.stop())
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nereid-cache-'))
    prefix = `faults-${count++}`
    proxy = await faultProxy(s3.port)
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) one.close()
    await proxy.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** As a server sees it that was started now, through the wire that breaks. */
  function open(options: { root?: string; env?: Record<string, string>; maxBytes?: number } = {}): {
    store: ModelStore
    lines: readonly string[]
  } {
    const { log, lines } = testLog()
    const root = options.root ?? `s3://http://127.0.0.1:${proxy.port}/${s3.bucket}/${prefix}`
    const files = s3Files({ root, env: options.env ?? s3.env, log })
    opened.push(files)
    const local = modelCache({ folder, maxBytes: options.maxBytes ?? 0, log })
    // Nothing counts as fresh but where a test is about that.
    return { store: remoteStore({ files, local, now: () => Number.MAX_SAFE_INTEGER }), lines }
  }

  async function put(files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) await s3.put(`${prefix}/${path}`, content)
  }

  async function pin(store: ModelStore, path: string): Promise<ModelStore> {
    const view = await store.pin?.(path)
    if (view === undefined) throw new Error('nothing was pinned')
    return view
  }

  async function local(view: ModelStore, path: string): Promise<string> {
    return (await view.localPath?.(path)) ?? ''
  }

  const text = (path: string): Promise<string> => readFile(path, 'utf8')

  it('is there as it was, whole, at one place on the disk', async () => {
    await put({ 'm/1/model.onnx': LARGE, 'm/1/data/weights.bin': 'w', 'm/config.pbtxt': 'c' })
    const view = await pin(open().store, 'm')
    await view.localise?.('m/1')
    const model = await local(view, 'm/1/model.onnx')
    expect(Buffer.compare(await readFile(model), LARGE)).toBe(0)
    expect(await text(join(model, '../data/weights.bin'))).toBe('w')
    expect(await text(await local(view, 'm/config.pbtxt'))).toBe('c')
  })

  it('is not downloaded again after a restart', async () => {
    await put({ 'm/1/model.onnx': LARGE })
    await (await pin(open().store, 'm')).localise?.('m/1')
    const before = proxy.seen.bytes
    const view = await pin(open().store, 'm')
    await view.localise?.('m/1')
    expect(Buffer.compare(await readFile(await local(view, 'm/1/model.onnx')), LARGE)).toBe(0)
    expect(proxy.seen.bytes - before).toBeLessThan(10_000)
  })

  it('goes on where the connection broke', async () => {
    await put({ 'm/1/model.onnx': LARGE })
    const view = await pin(open().store, 'm')
    proxy.cutAt(4_000_000)
    await view.localise?.('m/1')
    expect(Buffer.compare(await readFile(await local(view, 'm/1/model.onnx')), LARGE)).toBe(0)
    expect(proxy.seen.bytes).toBeLessThan(LARGE.length + 2_000_000)
  })

  it('is not there by half when the server goes in the middle, and is finished when it is back', async () => {
    await put({ 'm/1/first.bin': 'first', 'm/1/model.onnx': LARGE })
    const view = await pin(open().store, 'm')
    proxy.cutAt(3_000_000)
    const load = view.localise?.('m/1')
    while (proxy.seen.bytes < 3_000_000) await new Promise((resolve) => setImmediate(resolve))
    proxy.refuse(true)
    proxy.dropAll()
    await expect(load).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/cannot read 's3:.*model.onnx'|failed after \d+ of 6000000/),
    })
    const names = await readdir(join(folder, 'v1'))
    expect(names).toEqual([expect.stringMatching(/\.partial$/)])
    expect(existsSync(join(folder, 'v1', names[0]!, 'files/model.onnx'))).toBe(false)

    proxy.refuse(false)
    const again = await pin(open().store, 'm')
    await again.localise?.('m/1')
    expect(Buffer.compare(await readFile(await local(again, 'm/1/model.onnx')), LARGE)).toBe(0)
    expect(await readdir(join(folder, 'v1'))).toEqual([expect.stringMatching(/^[0-9a-f]{40}$/)])
  })

  it('survives a server that drops idle connections', async () => {
    await put({ 'm/config.pbtxt': 'c' })
    const { store } = open()
    for (let i = 0; i < 5; i++) {
      expect((await store.stat('m/config.pbtxt'))?.size).toBe(1)
      proxy.dropAll()
    }
    expect(proxy.seen.connections).toBeGreaterThan(4)
  })

  it('that is replaced while it is read is refused, not mixed', async () => {
    await put({ 'm/config.pbtxt': 'old', 'm/1/a.bin': 'old a', 'm/1/b.bin': 'old b' })
    const { store } = open()
    const view = await pin(store, 'm')
    expect(new TextDecoder().decode(await view.read('m/1/a.bin'))).toBe('old a')
    await put({ 'm/1/b.bin': 'new b' })
    await expect(view.read('m/1/b.bin')).rejects.toMatchObject({ name: 'ReplacedError' })
    await expect(view.localise?.('m/1')).rejects.toMatchObject({ name: 'ReplacedError' })
    const next = await pin(store, 'm')
    await next.localise?.('m/1')
    expect(await text(await local(next, 'm/1/b.bin'))).toBe('new b')
  })

  it('one of whose files is replaced or goes after it came is refused as a whole', async () => {
    for (const change of [
      () => put({ 'm/1/a.bin': 'newer' }),
      () => put({ 'm/1/c.bin': 'added' }),
      () => s3.remove(`${prefix}/m/1/a.bin`),
    ]) {
      await put({ 'm/1/a.bin': 'a', 'm/1/b.bin': LARGE })
      const { log } = testLog()
      const files = s3Files({ root: `${s3.root}/${prefix}`, env: s3.env, log })
      opened.push(files)
      let changed = false
      const store = remoteStore({
        files: {
          ...files,
          // The last file is asked for when the first one has come.
          async open(file, offset, signal) {
            if (file.path === 'm/1/b.bin' && !changed) {
              changed = true
              while (!existsSync(join(await partial(), 'a.bin'))) await new Promise(setImmediate)
              await change()
            }
            return files.open(file, offset, signal)
          },
        },
        local: modelCache({ folder, maxBytes: 0, log }),
        now: () => Number.MAX_SAFE_INTEGER,
      })
      const view = await pin(store, 'm')
      await expect(view.localise?.('m/1')).rejects.toMatchObject({ name: 'ReplacedError' })
      await s3.remove(`${prefix}/m/1/c.bin`)
      await rm(folder, { recursive: true, force: true })
    }
  })

  async function partial(): Promise<string> {
    const names = await readdir(join(folder, 'v1')).catch(() => [])
    return join(folder, 'v1', names.find((name) => name.endsWith('.partial')) ?? '-', 'files')
  }

  it('that is being written is waited for', async () => {
    await put({ 'm/config.pbtxt': 'new', 'm/1/a.bin': 'old' })
    const { log } = testLog()
    const files = s3Files({ root: `${s3.root}/${prefix}`, env: s3.env, log })
    opened.push(files)
    let looks = 0
    const store = remoteStore({
      files: {
        ...files,
        async list(path, signal) {
          const found = await files.list(path, signal)
          if (looks++ === 0) await put({ 'm/1/a.bin': 'new' })
          return found
        },
      },
    })
    const view = await pin(store, 'm')
    expect(new TextDecoder().decode(await view.read('m/1/a.bin'))).toBe('new')
    expect(looks).toBeGreaterThan(2)
  })

  it('is not seen before its upload in parts is complete', async () => {
    const { store } = open()
    const Key = `${prefix}/m/1/model.onnx`
    const Bucket = s3.bucket
    const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const part = { Bucket, Key, UploadId, PartNumber: 1, Body: LARGE }
    const { ETag } = await s3.client.send(new UploadPartCommand(part))
    expect(await store.stat('m/1/model.onnx')).toBeUndefined()
    expect(await store.list('')).toEqual([])
    const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
    const upload = { Bucket, Key, UploadId }
    await s3.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }))
    expect((await store.stat('m/1/model.onnx'))?.size).toBe(LARGE.length)
    await s3.client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined)
  })

  it('may have empty folders, thousands of files, and names that cannot be paths', async () => {
    await put({
      'm/1/': '',
      'm/1/%2e%2e%2fevil': 'x',
      'm/1/\u2024\u2024': 'x',
      'ok/1/model.onnx': 'x',
    })
    const names = Array.from({ length: 1_100 }, (_, i) => `many/1/file-${i}`)
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(names.slice(i, i + 50).map((name) => put({ [name]: 'x' })))
    }
    const { store, lines } = open()
    const view = await pin(store, '')
    expect(await view.list('m')).toEqual([{ path: 'm/1', kind: 'directory' }])
    expect(await view.list('m/1')).toEqual([])
    expect(await view.list('many/1')).toHaveLength(1_100)
    expect(lines.join()).toMatch(/warning: ignore 2 objects of .* whose names cannot be paths/)
  })

  it('says what to do when credentials are wrong or missing, or the bucket or the server is not there', async () => {
    await put({ 'm/1/model.onnx': 'x' })
    const failure = (options: Parameters<typeof open>[0]) =>
      open(options)
        .store.stat('')
        .then(
          () => 'nothing',
          (error: Error) => error.message,
        )
    const root = `s3://http://127.0.0.1:${proxy.port}`
    expect(await failure({ env: { ...s3.env, AWS_SECRET_ACCESS_KEY: 'wrong-secret' } })).toMatch(
      /access denied \(SignatureDoesNotMatch\), check the credentials \(AWS_ACCESS_KEY_ID.*s3:ListBucket/,
    )
    expect(await failure({ env: { ...s3.env, AWS_ACCESS_KEY_ID: 'nobody' } })).toMatch(
      /access denied \(\w+\)/,
    )
    expect(await failure({ root: `${root}/nowhere/x` })).toMatch(
      /there is no bucket 'nowhere' at http:/,
    )
    proxy.refuse(true)
    expect(await failure({})).toMatch(/cannot read 's3:.*ECONNRESET/)
    await expect(async () => open({ root: 's3://http://user:pass@host/bucket' })).rejects.toThrow(
      /expected s3:\/\/bucket\/prefix/,
    )
  })

  it('makes room by what was used longest ago, and says when there is none', async () => {
    const body = 'x'.repeat(1_000)
    await put({ 'a/1/m': body, 'b/1/m': body, 'c/1/m': `${body}${body}` })
    for (const model of ['a', 'b']) {
      await (await pin(open({ maxBytes: 2_500 }).store, model)).localise?.(`${model}/1`)
    }
    expect(await readdir(join(folder, 'v1'))).toHaveLength(2)
    const { store } = open({ maxBytes: 2_500 })
    const b = await pin(store, 'b')
    const release = await b.localise?.('b/1')
    await expect((await pin(store, 'c')).localise?.('c/1')).rejects.toThrow(
      /a model needs 2000 bytes in .*, there is room for 1500 \(--repository-cache-size/,
    )
    expect(await readdir(join(folder, 'v1'))).toHaveLength(1)
    expect(await text(await local(b, 'b/1/m'))).toBe(body)
    const partial = join(folder, 'v1', `${'0'.repeat(40)}.partial`)
    await mkdir(partial)
    await writeFile(join(partial, 'x'), body)
    // A model that is unloaded makes room, and so does a download that nobody goes on with.
    release?.()
    const c = await pin(store, 'c')
    await c.localise?.('c/1')
    expect(await text(await local(c, 'c/1/m'))).toBe(body + body)
    expect(await readdir(join(folder, 'v1'))).toHaveLength(1)
  })
})
