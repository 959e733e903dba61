import type { ClientHttp2Session } from 'node:http2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MAX_REFUSED_BODY_BYTES } from '../../../adapters/grpc/refused-request.ts'
import { type RawOutcome, rawCall, rawSession } from '../../helpers/raw-grpc.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
let session: ClientHttp2Session
beforeEach(async () => {
  serving = await serveGrpc({})
  session = rawSession(serving.port)
})
afterEach(async () => {
  session.destroy()
  await serving.close()
})

const JSON_TYPE = { 'content-type': 'application/json' }

function post(chunks: readonly Uint8Array[], end: boolean): Promise<RawOutcome> {
  return rawCall(session, '/v2', chunks, { headers: JSON_TYPE, end })
}

describe('a request that is no call', () => {
  it('is answered in words', async () => {
    const { httpStatus, headers, body } = await post([new Uint8Array(3)], true)
    expect(httpStatus).toBe(415)
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(body.toString()).toContain('gRPC')
  })

  it('is answered when it has ended', async () => {
    const open = session.request({ ':method': 'POST', ':path': '/v2', ...JSON_TYPE })
    const answered: number[] = []
    open.on('response', (fields) => answered.push(Number(fields[':status'])))
    open.write('{')
    // An answer to what was asked later would come behind one to what was asked first.
    await post([], true)
    expect(answered).toEqual([])
    open.end('}')
    await until(() => answered.length > 0)
    expect(answered).toEqual([415])
    open.resume()
  })

  it('is answered before the end of a body that nobody reads', async () => {
    const { httpStatus } = await post([new Uint8Array(MAX_REFUSED_BODY_BYTES + 1)], false)
    expect(httpStatus).toBe(415)
  })
})
