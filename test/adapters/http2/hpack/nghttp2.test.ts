import { once } from 'node:events'
import { connect, createServer, type IncomingHttpHeaders } from 'node:http2'
import { type AddressInfo, createServer as netServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { HpackDecoder } from '../../../../adapters/http2/hpack/decoder.ts'
import { headerBlock } from '../../../../adapters/http2/hpack/encoder.ts'
import { Flag, Frame, frame, PREFACE, rawHttp2 } from '../../../helpers/raw-http2.ts'
import { seeded } from './seeded.ts'

describe('HPACK beside nghttp2', () => {
  it('decodes what nghttp2 encodes, through insertions and evictions', async () => {
    const { random, seed } = seeded()
    const word = () => Math.floor(random() * 30)
    const server = netServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    const { port } = server.address() as AddressInfo
    const client = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 })
    client.on('error', () => {})
    const [socket] = await accepted
    const sent: string[][] = []
    // Names and values of a small vocabulary, so that entries are used again, long enough that the table overflows.
    for (let at = 0; at < 300; at++) {
      const fields: string[] = []
      for (let left = Math.floor(random() * 6); left > 0; left--) {
        const name = `x-${word()}`
        if (!fields.includes(name)) fields.push(name, `${'v'.repeat(word() * 4)}${word()}é`)
      }
      const headers: Record<string, string> = { ':method': 'GET', ':path': `/${word()}` }
      for (let one = 0; one < fields.length; one += 2) headers[fields[one]!] = fields[one + 1]!
      sent.push([...Object.entries(headers).flat()])
      client.request(headers, { endStream: true }).on('error', () => {})
    }
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 65_536, maxFields: 100 })
    let bytes = Buffer.alloc(0)
    let skipped = false
    let got = 0
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk])
      if (!skipped && bytes.length >= PREFACE.length) {
        bytes = bytes.subarray(PREFACE.length)
        skipped = true
        // More streams than the default until it knows ours.
        socket.write(frame(Frame.SETTINGS, 0, 0))
      }
      while (skipped && bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        const end = 9 + bytes.readUIntBE(0, 3)
        if (bytes[3] === Frame.HEADERS) {
          const priority = (bytes[4]! & Flag.PRIORITY) !== 0 ? 5 : 0
          const { fields } = decoder.decode(bytes.subarray(9 + priority, end))
          const wanted = sent[got++]!
          const regular = (list: readonly string[]) =>
            pairs(list)
              .filter(([name]) => name![0] !== ':' || name === ':path')
              .sort()
          expect(regular(fields), `seed ${seed}, request ${got}`).toEqual(regular(wanted))
        }
        bytes = bytes.subarray(end)
      }
      if (got === sent.length) break
    }
    client.destroy()
    server.close()
    expect(got).toBe(300)
  })

  it('encodes what nghttp2 decodes', async () => {
    const { random, seed } = seeded()
    const server = createServer()
    const seen: IncomingHttpHeaders[] = []
    server.on('stream', (stream, headers) => {
      seen.push(headers)
      stream.respond({ ':status': 200 }, { endStream: true })
    })
    server.on('sessionError', () => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const raw = await rawHttp2((server.address() as AddressInfo).port)
    const wanted: string[] = []
    for (let at = 0; at < 200; at++) {
      let value = ''
      for (let left = Math.floor(random() * 200); left > 0; left--) {
        value += String.fromCharCode(0x21 + Math.floor(random() * 0x5e))
      }
      wanted.push(value)
      const fields = [
        ':method',
        'GET',
        ':scheme',
        'http',
        ':authority',
        'a',
        ':path',
        `/${at}`,
        'x-value',
        value,
      ]
      raw.send(
        frame(
          Frame.HEADERS,
          Flag.END_HEADERS | Flag.END_STREAM,
          2 * at + 1,
          headerBlock(fields).encoded,
        ),
      )
    }
    expect(await raw.ping()).toBe(true)
    raw.destroy()
    server.close()
    expect(
      seen.map((one) => one['x-value']),
      `seed ${seed}`,
    ).toEqual(wanted)
  })
})

function pairs(list: readonly string[]): string[][] {
  const all: string[][] = []
  for (let at = 0; at < list.length; at += 2) all.push([list[at]!, list[at + 1]!])
  return all
}
