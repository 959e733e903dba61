import { spawnSync } from 'node:child_process'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority, type TestCertificate } from '../helpers/certificates.ts'
import { caller, testKeys } from '../helpers/keys.ts'
import { inferAnswer, inferBytes } from '../helpers/raw-http.ts'
import { type ServeOptions, type Serving, serve } from '../helpers/serve.ts'

const missing = spawnSync('openssl', ['version']).status !== 0
if (missing) console.warn('skipped: TLS needs the openssl program')

let serving: Serving | undefined
afterEach(async () => {
  await serving?.close()
  serving = undefined
})

interface Answer {
  readonly status: number
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly serial: string
}

describe.skipIf(missing)('HTTPS', () => {
  let authority: TestAuthority
  let first: TestCertificate
  let second: TestCertificate
  let client: TestCertificate

  beforeAll(() => {
    authority = new TestAuthority()
    first = authority.sign('/CN=first', 'DNS:localhost,IP:127.0.0.1')
    second = authority.sign('/CN=second', 'DNS:localhost,IP:127.0.0.1')
    client = authority.sign('/O=clients/CN=client', 'URI:spiffe://test/client')
  })

  const start = async (options: ServeOptions): Promise<Serving> => {
    serving = await serve(options)
    return serving
  }
  const agent = (own?: TestCertificate): Agent =>
    new Agent({ ca: authority.cert, keepAlive: true, maxSockets: 1, ...own })

  const ask = (path: string, by: Agent, body?: Buffer, more = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { port } = serving as Serving
      const method = body === undefined ? 'GET' : 'POST'
      const outgoing = request(
        { host: '127.0.0.1', port, path, method, agent: by, headers: more },
        (incoming) => {
          const { socket } = incoming
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('end', () =>
            resolve({
              status: incoming.statusCode ?? 0,
              body: Buffer.concat(chunks),
              headers: incoming.headers as Record<string, string>,
              serial: (socket as TLSSocket).getPeerCertificate().subject.CN as string,
            }),
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  /** The head's own length and the body of an infer request. */
  const infer = (values: readonly number[]): [Buffer, object] => {
    const [head = '', ...rest] = inferBytes('echo', values).toString('latin1').split('\r\n\r\n')
    const length = /Inference-Header-Content-Length: (\d+)/.exec(head)?.[1]
    return [
      Buffer.from(rest.join('\r\n\r\n'), 'latin1'),
      { 'Inference-Header-Content-Length': length },
    ]
  }
  const inferOver = async (by: Agent, values: readonly number[]): Promise<readonly number[]> => {
    const [body, headers] = infer(values)
    return inferAnswer(await ask('/v2/models/echo/infer', by, body, headers)).values
  }

  test('every route answers under TLS, the fast one as well', async () => {
    await start({ http: { tls: first } })
    const by = agent()
    expect((await ask('/v2/health/ready', by)).status).toBe(200)
    for (let i = 0; i < 3; i++) expect(await inferOver(by, [i, 0.5])).toEqual([i, 0.5])
    by.destroy()
  })

  test('new connections get the new certificate, and those that are open go on', async () => {
    const { listener } = await start({ http: { tls: first } })
    const before = agent()
    expect((await ask('/v2', before)).serial).toBe('first')
    listener.setTls(second)
    expect((await ask('/v2', before)).serial).toBe('first')
    const after = agent()
    expect((await ask('/v2', after)).serial).toBe('second')
    expect(() => listener.setTls({ cert: first.cert, key: second.key })).toThrow()
    const still = agent()
    expect((await ask('/v2', still)).serial).toBe('second')
    for (const one of [before, after, still]) one.destroy()
  })

  test('a client without a certificate is not let in where one is asked for; with one it is a principal', async () => {
    const keys = testKeys([
      { id: 'tenant', certificate: 'spiffe://test/client', scopes: ['infer:echo'] },
    ])
    const tls = { ...first, clientCa: authority.cert }
    const { logged } = await start({ http: { tls }, doors: { access: keys.access } })
    const nobody = agent()
    await expect(ask('/v2', nobody)).rejects.toThrow()
    const stranger = agent(new TestAuthority().sign('/CN=x', 'URI:spiffe://test/client'))
    await expect(ask('/v2', stranger)).rejects.toThrow()
    const known = agent(client)
    expect(await inferOver(known, [1, 2])).toEqual([1, 2])
    expect((await ask('/v2/models/echo', known)).status).toBe(200)
    expect((await ask('/v2/models/echo/config', known)).status).toBe(403)
    expect(
      (await ask('/v2/models/echo', known, undefined, { authorization: 'Bearer x' })).status,
    ).toBe(401)
    for (const one of [nobody, stranger, known]) one.destroy()
    expect(logged.filter((line) => /handshake/i.test(line))).toEqual([])
    expect(keys.access.authorizeMetrics(caller())).toMatchObject({ kind: 'unauthenticated' })
  })

  test('TLS below 1.2 is not spoken', async () => {
    const { port } = await start({ http: { tls: first } })
    const outcome = await new Promise<string>((resolve) => {
      const socket = tlsConnect({
        port,
        host: '127.0.0.1',
        ca: authority.cert,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      })
      socket.on('secureConnect', () => resolve('connected'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    expect(outcome).not.toBe('connected')
  })

  test('plain HTTP and half a handshake hold nothing up when the listener closes', async () => {
    const { port, listener } = await start({ http: { tls: first } })
    const plain = connect(port, '127.0.0.1')
    const ended = new Promise<void>((resolve) => plain.once('close', () => resolve()))
    plain.on('error', () => {})
    plain.write('GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n')
    plain.resume()
    await ended
    const silent = connect(port, '127.0.0.1')
    silent.on('error', () => {})
    await new Promise((resolve) => silent.once('connect', resolve))
    // The connection is known to the listener once another one that came later was answered.
    const by = agent()
    await ask('/v2', by)
    by.destroy()
    await listener.close(60_000)
    silent.destroy()
  })
})
