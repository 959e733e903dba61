import { status } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { echoRequest, floats, RawClient } from '../helpers/grpc-client.ts'
import { type TestKeys, testKeys } from '../helpers/keys.ts'
import { ECHO_CONFIG } from '../helpers/serve.ts'
import { type ServingGrpc, serveGrpc } from '../helpers/serve-grpc.ts'
import { until } from '../helpers/until.ts'

const TENANT = { id: 'tenant', scopes: ['infer:echo'] }
const metadata = { authorization: 'Bearer key:tenant' }

let serving: ServingGrpc
let client: RawClient
let keys: TestKeys

async function start(entry: object = TENANT, paused = false): Promise<void> {
  keys = testKeys([entry])
  serving = await serveGrpc({
    models: { echo: ECHO_CONFIG, other: ECHO_CONFIG },
    backend: { paused },
    grpc: { access: keys.access },
  })
  client = new RawClient(serving.target)
}
afterEach(async () => {
  client.close()
  await serving.close()
})

/** A stream that was let in and has had an answer. */
async function openStream() {
  const stream = client.inferStream({ metadata })
  stream.send(echoRequest([1]))
  await stream.received(1)
  expect(floats(stream.answers[0]?.inferResponse)).toEqual([1])
  return stream
}

test('a stream ends with the first message after its key is gone', async () => {
  await start()
  const stream = await openStream()
  keys.replace([{ id: 'tenant', hash: `sha256:${'0'.repeat(64)}`, scopes: ['infer:echo'] }])
  stream.send(echoRequest([2]))
  expect((await stream.status).code).toBe(status.UNAUTHENTICATED)
  expect(stream.answers).toHaveLength(1)
  expect(serving.backend.instances[0]?.batches).toHaveLength(1)
})

test('a stream ends with the first message after its key has expired', async () => {
  await start({ ...TENANT, notAfter: '2023-11-15T00:00:00Z' })
  const stream = await openStream()
  keys.clock.advance(2 * 86_400 * 1e9)
  stream.send(echoRequest([2]))
  expect((await stream.status).code).toBe(status.UNAUTHENTICATED)
})

test('a stream is let in for a model and ends when it asks for another one', async () => {
  await start()
  const stream = await openStream()
  stream.send(echoRequest([2], { modelName: 'other' }))
  expect(await stream.status).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: "operation 'infer-stream' on model 'other' is not allowed",
  })
})

test('a header that a connection repeats is looked up each time', async () => {
  await start()
  expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(0)
  expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(0)
  keys.replace([{ id: 'somebody', scopes: ['*'] }])
  expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(status.UNAUTHENTICATED)
  keys.replace([{ ...TENANT, scopes: ['infer:other'] }])
  expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(status.PERMISSION_DENIED)
  keys.replace([TENANT])
  expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(0)
})

test('what one connection may do is nothing to another', async () => {
  await start()
  const stranger = new RawClient(serving.target)
  for (let round = 0; round < 3; round++) {
    expect((await client.infer(echoRequest([1]), { metadata })).code).toBe(0)
    expect((await stranger.infer(echoRequest([1]))).code).toBe(status.UNAUTHENTICATED)
  }
  stranger.close()
})

test('places in flight are given back by answers, refusals, and streams that end or are left', async () => {
  await start({ ...TENANT, maxInflight: 1 }, true)
  const ask = () => client.infer(echoRequest([1]), { metadata })
  const instance = serving.backend.instances[0]!
  const first = ask()
  await until(() => instance.running)
  expect((await ask()).code).toBe(status.RESOURCE_EXHAUSTED)
  instance.paused = false
  instance.finish()
  expect((await first).code).toBe(0)
  for (let round = 0; round < 3; round++) {
    expect((await client.infer({ modelName: 'nope' }, { metadata })).code).not.toBe(0)
    const stream = await openStream()
    expect((await ask()).code).toBe(status.RESOURCE_EXHAUSTED)
    if (round === 0) stream.end()
    else if (round === 1) stream.call.cancel()
    else stream.send(echoRequest([2], { modelName: 'other' }))
    await stream.status
    await until(() => serving.grpc.calls === 0)
    expect((await ask()).code).toBe(0)
  }
})
