import { afterEach, expect, it } from 'vitest'
import { STREAM_INFER_PATH } from '../../../adapters/grpc/routes.ts'
import { headerBlock } from '../../../adapters/http2/hpack/encoder.ts'
import { type Access, ANYBODY } from '../../../core/access/types.ts'
import { echoRequest, framed, inferBytes } from '../../helpers/grpc-client.ts'
import { Flag, Frame, frame, rawHttp2 } from '../../helpers/raw-http2.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
afterEach(() => serving.close())

const HEAD = headerBlock([
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  STREAM_INFER_PATH,
  ':authority',
  'a',
  'content-type',
  'application/grpc',
  'te',
  'trailers',
]).encoded

it('a stream whose client answers no PING gives its place back', async () => {
  let placed = 0
  const access: Access = {
    authorize: () => ({
      ...ANYBODY,
      enter: () => {
        placed++
        return null
      },
      leave: () => {
        placed--
      },
    }),
  }
  serving = await serveGrpc({ grpc: { access, keepalive: { timeMs: 50, timeoutMs: 50 } } })
  const dead = await rawHttp2(serving.port)
  const message = framed(inferBytes(echoRequest([1])))
  dead.send(
    frame(Frame.HEADERS, Flag.END_HEADERS, 1, HEAD),
    frame(Frame.DATA, 0, 1, new Uint8Array(message)),
  )
  await dead.next(({ type }) => type === Frame.DATA)
  expect(placed).toBe(1)
  await dead.closed
  await until(() => placed === 0)
  expect(serving.grpc.connections).toBe(0)
})
