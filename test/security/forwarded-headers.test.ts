import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forwardHeaders } from '../../core/access/forward-headers.ts'
import { inferBytes, type RawHttpAnswer, rawConnection } from '../helpers/raw-http.ts'
import { type Serving, serve } from '../helpers/serve.ts'

/** What Triton keeps for itself among a request's parameters; a forwarded header must never set one. */
const RESERVED = [
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'headers',
  'binary_data_output',
  'triton_enable_empty_final_response',
  'triton_final_response',
]
const BODY = '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]}'
const UNTOUCHED = {
  parameters: null,
  priority: 0,
  timeoutUs: 0,
  sequenceId: 0n,
  sequenceStart: false,
  sequenceEnd: false,
}
let serving: Serving

beforeAll(async () => {
  serving = await serve()
})
afterAll(() => serving.close())

async function ask(headers: string): Promise<RawHttpAnswer> {
  const connection = await rawConnection(serving.port)
  connection.send(
    `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  )
  const answer = await connection.answer()
  connection.socket.destroy()
  return answer
}

test.each(RESERVED)(
  'a header named %s changes neither the request nor its answer',
  async (name) => {
    const plain = await ask('')
    expect(plain.status).toBe(200)
    const spellings = [name, `triton-http-${name}`, `X-Forwarded-${name}`, name.toUpperCase()]
    for (const header of spellings) {
      for (const value of ['1', '0', 'true', '-1', '18446744073709551615', '{}', '']) {
        const answer = await ask(`${header}: ${value}\r\n`)
        expect([answer.status, answer.body.toString()]).toEqual([200, plain.body.toString()])
        const request = serving.backend.instances[0]?.batches.at(-1)?.requests[0]
        expect(request).toMatchObject(UNTOUCHED)
      }
    }
  },
)

describe('with a pattern', () => {
  let forwarding: Serving
  beforeAll(async () => {
    forwarding = await serve({
      doors: { forward: forwardHeaders('^(tenant-|x-.*-id$)|_|^timeout$|^priority$') },
    })
  })
  afterAll(() => forwarding.close())

  const NAMES = ['Tenant-Name: acme\r\n', 'x-trace-ID: 7\r\n', 'other: no\r\n'].join('')
  const WANTED = new Map([
    ['Tenant-Name', 'acme'],
    ['x-trace-ID', '7'],
  ])
  const parameters = () => forwarding.backend.instances[0]?.batches.at(-1)?.requests[0]?.parameters

  async function send(bytes: string | Buffer, times = 1): Promise<RawHttpAnswer> {
    const connection = await rawConnection(forwarding.port)
    let answer: RawHttpAnswer | undefined
    for (let i = 0; i < times; i++) {
      connection.send(bytes)
      answer = await connection.answer()
    }
    connection.socket.destroy()
    return answer as RawHttpAnswer
  }
  const plain = (headers: string, body = BODY): string =>
    `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  const binary = (headers: string): Buffer =>
    Buffer.from(
      inferBytes('echo', [1]).toString('latin1').replace('Host: x\r\n', `Host: x\r\n${headers}`),
      'latin1',
    )

  test('names that match become parameters on every path, remembered headers included', async () => {
    const packed = `Accept-Encoding: gzip\r\n${NAMES}`
    for (const bytes of [plain(NAMES), plain(packed), binary(NAMES), binary(packed)]) {
      expect((await send(bytes, 3)).status).toBe(200)
      expect(parameters()).toEqual(WANTED)
    }
    await send(binary(''))
    expect(parameters()).toBeNull()
  })

  test('they join the parameters that the request has itself', async () => {
    const body = BODY.replace('{"inputs"', '{"parameters":{"own":"1","x-trace-ID":"own"},"inputs"')
    await send(plain(NAMES, body))
    expect(parameters()).toEqual(new Map([['own', '1'], ...WANTED]))
  })

  test.each(RESERVED)('a header named %s is refused in the words of Triton', async (name) => {
    for (const packed of ['', 'Accept-Encoding: gzip\r\n']) {
      const matches = name.includes('_') || name === 'timeout' || name === 'priority'
      for (const bytes of [plain(`${packed}${name}: 1\r\n`), binary(`${packed}${name}: 1\r\n`)]) {
        const answer = await send(bytes)
        const text = `Header '${name}' is reserved for Triton usage and cannot be forwarded.`
        expect(answer.status).toBe(matches ? 400 : 200)
        if (matches) expect(JSON.parse(answer.body.toString())).toEqual({ error: text })
      }
    }
  })
})
