import { afterEach, beforeAll, expect, test } from 'vitest'
import { RawClient } from '../helpers/grpc-client.ts'
import { buildServer, serve, stopAll } from './child.ts'

beforeAll(buildServer)
afterEach(stopAll)

test('requests are told of in the log, as Triton does, while it is verbose', async () => {
  const server = await serve([])
  const client = new RawClient(server.grpc)
  const ask = async (): Promise<void> => {
    await fetch(`${server.url}/v2/health/live?token=secret`)
    await fetch(`${server.url}/v2/models/digits/infer`, { method: 'POST', body: '{}' })
    await fetch(`${server.url}/v2/a%0Ab`, { method: 'DELETE' })
    await client.unary('/inference.GRPCInferenceService/ModelInfer', new Uint8Array())
    await client.unary('/inference.GRPCInferenceService/ServerLive', new Uint8Array())
  }
  const verbose = async (level: number): Promise<void> => {
    const body = JSON.stringify({ log_verbose_level: level })
    expect((await fetch(`${server.url}/v2/logging`, { method: 'POST', body })).status).toBe(200)
  }
  await ask()
  expect(server.log()).not.toMatch(/HTTP request|Process for/)
  await verbose(1)
  await ask()
  const lines = server.log().match(/"(HTTP request|Process for).*"$/gm)
  expect(lines).toEqual([
    '"HTTP request: 0 /v2/health/live"',
    '"HTTP request: 2 /v2/models/digits/infer"',
    '"HTTP request: 4 /v2/a%0Ab"',
    '"Process for ModelInferHandler, rpc_ok=1, 0 step START"',
    '"Process for ServerLive, rpc_ok=1, 1 step START"',
  ])
  await verbose(0)
  const before = server.log().length
  await ask()
  expect(server.log().slice(before)).not.toMatch(/HTTP request: [24]|Process for/)
  client.close()
})
