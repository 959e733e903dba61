import { afterEach, expect, it } from 'vitest'
import type { UnaryMethod } from '../../../adapters/grpc/types.ts'
import { type Access, ANYBODY } from '../../../core/access/types.ts'
import { framed } from '../../helpers/grpc-client.ts'
import { rawCall, rawSession } from '../../helpers/raw-grpc.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

let serving: ServingGrpc
afterEach(() => serving.close())

it('a load that its client gave up keeps its place until it is done', async () => {
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
  let begun = false
  let left = false
  let finish = (): void => {}
  const load: UnaryMethod<null, Uint8Array> = {
    path: '/a.Slow/Load',
    operation: 'model-load',
    decode: () => null,
    encode: (output) => output,
    handle: (_input, { signal }) => {
      begun = true
      signal.onabort = () => {
        left = true
      }
      return new Promise((resolve) => {
        finish = () => resolve(new Uint8Array(0))
      })
    },
  }
  serving = await serveGrpc({ grpc: { access, methods: [load as UnaryMethod] } })
  const session = rawSession(serving.port)
  const outcome = rawCall(session, load.path, [framed(new Uint8Array(0))])
  outcome.catch(() => {})
  await until(() => begun)
  expect(placed).toBe(1)
  session.destroy()
  await until(() => left)
  expect(placed).toBe(1)
  finish()
  await until(() => placed === 0)
})
