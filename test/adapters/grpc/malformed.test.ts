import type { ClientHttp2Session } from 'node:http2'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlMethods } from '../../../adapters/grpc/control/control-methods.ts'
import { INFER_PATH, STREAM_INFER_PATH } from '../../../adapters/grpc/routes.ts'
import { framed } from '../../helpers/grpc-client.ts'
import { rawCall, rawSession } from '../../helpers/raw-grpc.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'

const nothing = {} as Parameters<typeof controlMethods>[0]
const PATHS = [INFER_PATH, STREAM_INFER_PATH, ...controlMethods(nothing).map(({ path }) => path)]
/** A tag that never ends, a length beyond the end, wire type 7, field 0. */
const BYTES = ['ffffff', '0a056162', '0f', '00']

let serving: ServingGrpc
let session: ClientHttp2Session

beforeAll(async () => {
  serving = await serveGrpc()
  session = rawSession(serving.port)
})
afterAll(async () => {
  session.destroy()
  await serving.close()
})

test.each(PATHS)('%s answers bytes that are no message as Triton does', async (path) => {
  for (const bytes of BYTES) {
    const outcome = await rawCall(session, path, [framed(Buffer.from(bytes, 'hex'))])
    expect(outcome, bytes).toMatchObject({
      grpcStatus: String(status.INTERNAL),
      grpcMessage: 'Unable to parse request',
    })
  }
  expect(serving.logged.filter((line) => line.startsWith('E'))).toEqual([])
})
