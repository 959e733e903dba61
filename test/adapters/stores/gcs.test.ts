import { createVerify, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { modelCache } from '../../../adapters/stores/cache.ts'
import { gcsFiles } from '../../../adapters/stores/gcs.ts'
import { remoteStore } from '../../../adapters/stores/remote.ts'
import type { ModelStore } from '../../../core/platform.ts'
import { isReplaced } from '../../../core/repository/replaced.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'
import { type FaultProxy, faultProxy } from '../../helpers/fault-proxy.ts'
import { NO_GCS, type TestGcs, testGcs } from '../../helpers/gcs-server.ts'
import { testLog } from '../../helpers/test-log.ts'

if (NO_GCS !== undefined) console.log(`skipped: the store on Google Cloud Storage: ${NO_GCS}`)

const folder = mkdtempSync(join(tmpdir(), 'nereid-gcs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const { log } = testLog()

describe.skipIf(NO_GCS !== undefined)('a repository on Google Cloud Storage', () => {
  let gcs: TestGcs
  let wire: FaultProxy | undefined
  beforeAll(async () => {
    gcs = await testGcs()
  })
  afterAll(() => gcs.stop())
  afterEach(async () => {
    await wire?.close()
    wire = undefined
  })

  storeContract('remoteStore on Google Cloud Storage', async () => {
    const prefix = `contract-${count++}`
    for (const [path, content] of STORE_FILES) await gcs.put(`${prefix}/${path}`, content)
    const files = gcsFiles({ root: `gs://${gcs.bucket}/${prefix}`, env: gcs.env, log })
    return {
      store: remoteStore({ files, local: modelCache({ folder, maxBytes: 0, log }) }),
      replace: (path, content) => gcs.put(`${prefix}/${path}`, content),
    }
  })

  /** A new prefix with `files`, through a wire that can break, and a cache of its own. */
  async function pinned(files: Readonly<Record<string, Uint8Array | string>>, path = 'm') {
    const prefix = `p-${count++}`
    for (const [name, content] of Object.entries(files)) await gcs.put(`${prefix}/${name}`, content)
    wire = await faultProxy(gcs.port)
    const store = remoteStore({
      files: gcsFiles({
        root: `gs://${gcs.bucket}/${prefix}/`,
        env: { STORAGE_EMULATOR_HOST: `127.0.0.1:${wire.port}` },
        log,
      }),
      local: modelCache({ folder: join(folder, prefix), maxBytes: 0, log }),
      now: () => Number.MAX_SAFE_INTEGER,
    })
    const view = (await store.pin?.(path)) as ModelStore
    return { view, prefix, wire }
  }

  it('has names that URLs escape', async () => {
    const { view } = await pinned({ 'm/1/part 1+?#%ü': 'odd', 'm/1/part': 'even' })
    expect(await view.list('m/1')).toHaveLength(2)
    expect(new TextDecoder().decode(await view.read('m/1/part 1+?#%ü'))).toBe('odd')
  })

  it('goes on where a download broke off', async () => {
    const large = new Uint8Array(3_000_000).map((_, i) => (i * 2_654_435_761) >>> 24)
    const { view, wire } = await pinned({ 'm/1/model.onnx': large })
    wire.cutAt(1_500_000)
    await view.localise?.('m/1')
    const path = (await view.localPath?.('m/1/model.onnx')) ?? ''
    expect(Buffer.compare(readFileSync(path), large)).toBe(0)
    expect(wire.seen.bytes).toBeLessThan(1.4 * large.length)
  })

  it('never gives another generation than the one that was listed', async () => {
    const { view, prefix } = await pinned({ 'm/1/model.onnx': 'one', 'm/config.pbtxt': 'c' })
    await gcs.put(`${prefix}/m/1/model.onnx`, 'two')
    expect(isReplaced(await view.read('m/1/model.onnx').catch((error) => error))).toBe(true)
    expect(isReplaced(await view.localise?.('m/1').catch((error) => error))).toBe(true)
    await gcs.remove(`${prefix}/m/config.pbtxt`)
    expect(isReplaced(await view.read('m/config.pbtxt').catch((error) => error))).toBe(true)
  })

  it('says that there is no bucket', async () => {
    const files = gcsFiles({ root: 'gs://not-there/m', env: gcs.env, log })
    await expect(files.list('')).rejects.toThrow(
      "cannot read 'gs://not-there/m': there is no such bucket (status 404)",
    )
  })
})

describe('listings', () => {
  it('are read to their last page; what fails for a while is asked again', async () => {
    const item = (name: string) => ({
      name,
      size: '1',
      generation: '7',
      updated: '2026-01-01T00:00:00Z',
    })
    const answers = [
      new Response('busy', { status: 503 }),
      Response.json({ items: [item('p/a/1'), item('p/a/')], nextPageToken: 'next page' }),
      Response.json({ items: [item('p/../b'), item('p/c')] }),
    ]
    const asked: URL[] = []
    const { log, lines } = testLog()
    const files = gcsFiles({
      root: 'gs://bucket/p',
      env: { STORAGE_EMULATOR_HOST: 'emulator:1' },
      log,
      fetch: async (url) => {
        asked.push(new URL(String(url)))
        return answers.shift() ?? expect.unreachable()
      },
    })
    const modifiedMs = Date.UTC(2026, 0, 1)
    expect(await files.list('')).toEqual({
      files: ['a/1', 'c'].map((path) => ({ path, size: 1, tag: '7', modifiedMs })),
      folders: ['a'],
    })
    expect(asked.map(({ searchParams }) => searchParams.get('pageToken'))).toEqual([
      null,
      null,
      'next page',
    ])
    expect(
      asked.every((url) =>
        url.href.startsWith('http://emulator:1/storage/v1/b/bucket/o?prefix=p%2F'),
      ),
    ).toBe(true)
    expect(lines.join()).toContain("ignore 1 objects of 'gs://bucket/p'")
  })
})

describe('roots', () => {
  it.each(['gs://', 'gs://B/x', 'gs://b', 'gs:///x', 'gs://bucket/../x', 'gs://user@bucket/x'])(
    '%s is none',
    (root) => {
      expect(() => gcsFiles({ root, env: {}, log })).toThrow(/INVALID|invalid|must|'\.\.'|path/i)
    },
  )
})

describe('credentials', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  let server: Server | undefined
  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  /** Google's token endpoint, its metadata server and a bucket, as far as a listing goes, in one. */
  async function google(given: {
    readonly tokens: readonly string[]
    readonly taken: readonly string[]
  }) {
    const tokens = [...given.tokens]
    const asked: { path: string; form: URLSearchParams; header: IncomingMessage['headers'] }[] = []
    server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      asked.push({
        path: request.url ?? '',
        form: new URLSearchParams(body),
        header: request.headers,
      })
      if (request.url?.startsWith('/storage')) {
        const bearer = request.headers.authorization?.replace('Bearer ', '') ?? ''
        response.writeHead(given.taken.includes(bearer) ? 200 : 401).end('{"items":[]}')
        return
      }
      const access_token = tokens.shift()
      response.writeHead(access_token === undefined ? 403 : 200)
      response.end(JSON.stringify({ access_token, expires_in: 3600, token_type: 'Bearer' }))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    // The bucket is Google's own in the code's eyes, so that it does not go for an emulator.
    const route: typeof fetch = (target, init) =>
      fetch(String(target).replace('https://storage.googleapis.com', url), init)
    return { url, host: `127.0.0.1:${port}`, asked, route }
  }
  const paths = (asked: readonly { path: string }[]): string[] =>
    asked.map(({ path }) => path.split('?')[0] ?? '')
  const LIST = '/storage/v1/b/bucket/o'

  function keyFile(url: string, more: object = {}): string {
    const file = join(folder, `key-${count++}.json`)
    const key = {
      type: 'service_account',
      client_email: 'reader@project.iam.gserviceaccount.com',
      private_key: privateKey,
      token_uri: `${url}/token`,
      ...more,
    }
    writeFileSync(file, JSON.stringify(key))
    return file
  }

  it('of a service account sign for a token to read with, which is used until it is refused', async () => {
    const { url, asked, route } = await google({ tokens: ['first', 'second'], taken: ['first'] })
    const env = { GOOGLE_APPLICATION_CREDENTIALS: keyFile(url) }
    const files = gcsFiles({ root: 'gs://bucket', env, log, fetch: route })
    for (let i = 0; i < 2; i++) await files.list('')
    expect(paths(asked)).toEqual(['/token', LIST, LIST])
    const assertion = asked[0]?.form.get('assertion') ?? ''
    const [head = '', claims = '', signature = ''] = assertion.split('.')
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`)
    expect(verify.verify(publicKey, signature, 'base64url')).toBe(true)
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      iss: 'reader@project.iam.gserviceaccount.com',
      scope: 'https://www.googleapis.com/auth/devstorage.read_only',
      aud: `${url}/token`,
    })
  })

  it('that are refused are renewed once; what is refused then is told with what to do', async () => {
    const { url, asked, route } = await google({ tokens: ['old', 'new'], taken: ['new'] })
    const env = { GOOGLE_APPLICATION_CREDENTIALS: keyFile(url) }
    const files = gcsFiles({ root: 'gs://bucket', env, log, fetch: route })
    await files.list('')
    expect(paths(asked)).toEqual(['/token', LIST, '/token', LIST])
    const denied = await google({ tokens: ['a', 'b'], taken: [] })
    const other = gcsFiles({
      root: 'gs://bucket',
      env: { GOOGLE_APPLICATION_CREDENTIALS: keyFile(denied.url) },
      log,
      fetch: denied.route,
    })
    await expect(other.list('')).rejects.toThrow(
      /access denied.*GOOGLE_APPLICATION_CREDENTIALS.*status 401/,
    )
  })

  it('come from the machine where no file is named, and from nowhere for what everybody may read', async () => {
    const { host, asked, route } = await google({ tokens: ['machine'], taken: ['machine'] })
    const files = gcsFiles({
      root: 'gs://bucket',
      env: { GCE_METADATA_HOST: host },
      log,
      fetch: route,
    })
    await files.list('')
    expect(paths(asked)).toEqual([
      '/computeMetadata/v1/instance/service-accounts/default/token',
      LIST,
    ])
    expect(asked[0]?.header['metadata-flavor']).toBe('Google')
    const open = await google({ tokens: [], taken: [''] })
    await gcsFiles({
      root: 'gs://bucket',
      env: { GCE_METADATA_HOST: open.host },
      log,
      fetch: open.route,
    }).list('')
    expect(open.asked.at(-1)?.header.authorization).toBeUndefined()
  })

  it('are looked for in the file of Triton first, by the longest prefix', async () => {
    const { url, asked, route } = await google({ tokens: ['t'], taken: ['t'] })
    const file = join(folder, 'cloud.json')
    const gs = { '': '/nowhere', 'gs://bucket': keyFile(url) }
    writeFileSync(file, JSON.stringify({ gs, s3: {} }))
    const env = { TRITON_CLOUD_CREDENTIAL_PATH: file, GOOGLE_APPLICATION_CREDENTIALS: '/nowhere' }
    await gcsFiles({ root: 'gs://bucket/m', env, log, fetch: route }).list('')
    expect(paths(asked)).toEqual(['/token', LIST])
  })

  it.each([
    ['a type that is not known', { type: 'external_account' }, /type must be/],
    ['no account', { client_email: undefined }, /no 'client_email'/],
    ['a key that is none', { private_key: 'SECRET' }, /no RSA key in PEM$/],
  ])('with %s are told of without their secrets', async (_, more, text) => {
    const { url, route } = await google({ tokens: ['t'], taken: ['t'] })
    const env = { GOOGLE_APPLICATION_CREDENTIALS: keyFile(url, more) }
    const failed = gcsFiles({ root: 'gs://bucket', env, log, fetch: route }).list('')
    await expect(failed).rejects.toThrow(text)
    await expect(failed).rejects.not.toThrow(/SECRET|PRIVATE/)
  })

  it('that the token endpoint refuses are told of', async () => {
    const { url, route } = await google({ tokens: [], taken: [] })
    const env = { GOOGLE_APPLICATION_CREDENTIALS: keyFile(url) }
    const files = gcsFiles({ root: 'gs://bucket', env, log, fetch: route })
    await expect(files.list('')).rejects.toThrow(/gives no token for it \(status 403\)/)
  })
})
