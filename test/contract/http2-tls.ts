import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from 'node:http2'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Http2Server, PeerInfo, StartHttp2, TlsMaterial } from '../../adapters/http2/types.ts'
import { TestAuthority, type TestCertificate } from '../helpers/certificates.ts'
import { echo, pattern, request, serveHttp2 } from '../helpers/http2-app.ts'

/** What every transport does with TLS. */
export function http2TlsContract(name: string, start: StartHttp2): void {
  describe(`${name} with TLS`, () => {
    let authority: TestAuthority
    let pair: TestCertificate
    let clients: ClientHttp2Session[] = []
    let server: Http2Server | null = null
    const peers: PeerInfo[] = []

    beforeAll(() => {
      authority = new TestAuthority()
      pair = authority.sign('/CN=server one', 'DNS:localhost')
    })
    afterEach(async () => {
      for (const one of clients) one.destroy()
      await server?.close(0)
      clients = []
      peers.length = 0
    })
    const serve = async (tls: TlsMaterial) => {
      server = await serveHttp2(start, {
        tls,
        onStream: (stream, hasBody) => {
          peers.push(stream.peer)
          return echo(stream, hasBody)
        },
      })
      return server
    }
    const client = (port: number, options: SecureClientSessionOptions = {}) => {
      const session = connect(`https://localhost:${port}`, { ca: authority.cert, ...options })
      clients.push(session)
      return session
    }

    it('serves clients that ask for h2', async () => {
      const { port } = await serve(pair)
      const session = client(port)
      expect((await request(session, pattern(300_000))).body.equals(pattern(300_000))).toBe(true)
      expect(session.alpnProtocol).toBe('h2')
      expect(peers).toEqual([{ address: expect.any(String), tls: true, certificate: '' }])
    })

    it.each([[undefined], [['http/1.1']]])('refuses clients that offer %j', async (offered) => {
      const { port } = await serve(pair)
      const alpn = offered === undefined ? {} : { ALPNProtocols: offered }
      const socket = tlsConnect({ port, host: 'localhost', ca: authority.cert, ...alpn })
      socket.on('error', () => {})
      socket.on('data', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await gone(socket)
      expect(peers).toEqual([])
      // Others are served.
      expect((await request(client(port))).code).toBe(0)
    })

    it('takes nothing but TLS', async () => {
      const { port } = await serve(pair)
      const plain = connect(`http://127.0.0.1:${port}`)
      plain.on('error', () => {})
      clients.push(plain)
      await gone(plain)
      expect((await request(client(port))).code).toBe(0)
    })

    it('asks for a certificate where it has an authority, and says whose it was', async () => {
      const { port } = await serve({ ...pair, clientCa: authority.cert })
      const named = authority.sign('/O=them/CN=client', 'DNS:client.test,URI:spiffe://test/client')
      expect((await request(client(port, named))).code).toBe(0)
      const plain = authority.sign('/O=them/CN=client', 'DNS:client.test')
      expect((await request(client(port, plain))).code).toBe(0)
      expect(peers.map((one) => one.certificate)).toEqual([
        'spiffe://test/client',
        expect.stringMatching(/O=them.*CN=client/),
      ])
      const wrong = new TestAuthority().sign('/CN=client', 'URI:spiffe://test/client')
      for (const options of [{}, wrong]) {
        // Node's HTTP/2 client does not notice this end while it asks nothing, so it is its socket that is looked at.
        const socket = tlsConnect({
          port,
          host: 'localhost',
          ca: authority.cert,
          ALPNProtocols: ['h2'],
          ...options,
        })
        socket.on('error', () => {}).resume()
        await gone(socket)
      }
      expect(peers.length).toBe(2)
    })

    it('uses a new certificate for new connections, the old one for old', async () => {
      const one = await serve(pair)
      const before = client(one.port)
      await request(before)
      one.setTls(authority.sign('/CN=server two', 'DNS:localhost'))
      const after = client(one.port)
      await request(after)
      expect((await request(before)).code).toBe(0)
      const subject = (session: ClientHttp2Session) =>
        (session.socket as TLSSocket).getPeerCertificate().subject.CN
      expect([subject(before), subject(after)]).toEqual(['server one', 'server two'])
    })

    it('throws for a pair that does not fit, and keeps the old one', async () => {
      const one = await serve(pair)
      const other = authority.sign('/CN=server two', 'DNS:localhost')
      expect(() => one.setTls({ cert: other.cert, key: pair.key })).toThrow()
      expect(() => one.setTls({ cert: 'no certificate', key: 'no key' })).toThrow()
      expect((await request(client(one.port))).code).toBe(0)
    })

    it('rejects to start with a pair that does not fit', async () => {
      const other = authority.sign('/CN=server two', 'DNS:localhost')
      await expect(serve({ cert: other.cert, key: pair.key })).rejects.toThrow()
    })
  })
}

/** Errors on the way are expected. */
function gone(one: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => one.once('close', resolve))
}
