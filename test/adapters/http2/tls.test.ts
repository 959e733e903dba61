import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { TestAuthority } from '../../helpers/certificates.ts'
import { NO_TRAILERS, OK, type TestHttp2, testHttp2 } from './start.ts'

const authority = new TestAuthority()
const first = authority.sign('/CN=first', 'DNS:localhost')
const second = authority.sign('/CN=second', 'DNS:localhost')

let server: TestHttp2
afterEach(async () => {
  await server.close(0)
  expect(server.connections).toBe(0)
  expect(server.errors).toEqual([])
})
const start = async (clientCa?: string) => {
  server = await testHttp2(
    { tls: { ...first, ...(clientCa === undefined ? {} : { clientCa }) } },
    ({ stream }) => stream.answer(OK, [Buffer.from(stream.peer.certificate)], NO_TRAILERS),
  )
}
const closed = (socket: Socket) => {
  socket.on('error', () => undefined)
  socket.resume()
  return new Promise((resolve) => socket.once('close', resolve))
}
/** A GET with Node's client; the certificate that the peer was seen to have. */
async function get(options: ConnectionOptions = {}): Promise<string> {
  const session = connectHttp2(`https://localhost:${server.port}`, {
    ca: authority.cert,
    ...options,
  })
  try {
    const failed = once(session, 'error').then(([error]) => Promise.reject(error as Error))
    const stream = session.request({ ':path': '/' })
    stream.on('error', () => undefined)
    stream.setEncoding('utf8')
    let text: string | undefined
    stream.once('response', () => {
      text = ''
    })
    stream.on('data', (chunk: string) => {
      text += chunk
    })
    await Promise.race([new Promise((resolve) => stream.once('close', resolve)), failed])
    if (text === undefined) throw new Error('no response')
    return text
  } finally {
    session.destroy()
  }
}
/** Connects with TLS alone; the names on the server's certificate, or null when it hung up. */
async function subject(options: ConnectionOptions): Promise<string | null> {
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.cert,
    ...options,
  })
  let name: string | null = null
  socket.on('secureConnect', () => {
    name = socket.getPeerCertificate().subject.CN as string
    if (options.ALPNProtocols !== undefined) socket.destroy()
  })
  await closed(socket)
  return name
}

describe('TLS', () => {
  it('carries bodies larger than any buffer, both ways', async () => {
    server = await testHttp2({
      tls: first,
      onStream: (stream) => {
        const chunks: Uint8Array[] = []
        return {
          data: (chunk, end) => {
            chunks.push(chunk)
            stream.credit(chunk.length)
            if (end) stream.answer(OK, chunks, NO_TRAILERS)
          },
          aborted: () => undefined,
        }
      },
    })
    const session = connectHttp2(`https://localhost:${server.port}`, { ca: authority.cert })
    const sent = Buffer.alloc(5_000_000, 'nereid')
    const stream = session.request({ ':path': '/', ':method': 'POST' })
    stream.end(sent)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    session.destroy()
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
  })

  it('serves a client that offers h2', async () => {
    await start()
    expect(await get()).toBe('')
    expect(server.seen[0]?.stream.peer.tls).toBe(true)
  })

  it('hangs up on clients that offer something else, or nothing, or no TLS', async () => {
    await start()
    await subject({ ALPNProtocols: ['http/1.1'] })
    await subject({})
    const plain = connectTcp(server.port, '127.0.0.1')
    plain.write('GET / HTTP/1.1\r\n\r\n')
    await closed(plain)
    expect(server.seen).toEqual([])
    expect(await get()).toBe('')
  })

  it('asks for a certificate where an authority for clients is given', async () => {
    await start(authority.cert)
    await expect(get()).rejects.toThrow()
    const other = new TestAuthority().sign('/CN=stranger', 'URI:spiffe://test/stranger')
    await expect(get(other)).rejects.toThrow()
    expect(server.seen).toEqual([])
    expect(await get(authority.sign('/CN=a/O=b', 'DNS:client'))).toBe('CN=a,O=b')
    expect(await get(authority.sign('/CN=a', 'URI:spiffe://test/a'))).toBe('spiffe://test/a')
  })

  it('takes a new certificate for new connections, and refuses an unusable one', async () => {
    await start()
    expect(await subject({ ALPNProtocols: ['h2'] })).toBe('first')
    expect(() => server.setTls({ cert: second.cert, key: first.key })).toThrow()
    expect(() => server.setTls({ cert: 'no', key: 'no' })).toThrow()
    expect(await subject({ ALPNProtocols: ['h2'] })).toBe('first')
    server.setTls(second)
    expect(await subject({ ALPNProtocols: ['h2'] })).toBe('second')
    expect(await get()).toBe('')
  })

  it('does not start with an unusable pair', async () => {
    await expect(testHttp2({ tls: { cert: second.cert, key: first.key } })).rejects.toThrow()
    await start()
    await expect(testHttp2({ port: server.port })).rejects.toThrow('EADDRINUSE')
  })

  it('closes while a handshake is under way', async () => {
    await start()
    const socket = connectTcp(server.port, '127.0.0.1')
    const gone = closed(socket)
    await once(socket, 'connect')
    await Promise.all([server.close(50), gone])
  })
})
