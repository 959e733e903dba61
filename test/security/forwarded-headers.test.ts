import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RawHttpAnswer, rawConnection } from '../helpers/raw-http.ts'
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
