import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { RawClient } from '../helpers/grpc-client.ts'
import { type OtlpCollector, startCollector } from '../helpers/otlp-collector.ts'
import { until } from '../helpers/until.ts'
import { buildServer, ROOT, type Serving, serve, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-trace-'))
const file = join(folder, 'trace.json')
const models = join(folder, 'models')
const IDENTITY = `
backend: "identity"
max_batch_size: 8
input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1 ] } ]
`
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` }
const INPUT = { name: 'INPUT0', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }

let collector: OtlpCollector | undefined

beforeAll(() => {
  mkdirSync(join(models, 'identity', '1'), { recursive: true })
  writeFileSync(join(models, 'identity', 'config.pbtxt'), IDENTITY)
  buildServer()
}, 120_000)
afterEach(async () => {
  await stopAll()
  await collector?.close()
  collector = undefined
})
afterAll(() => rmSync(folder, { recursive: true }))

const config = (...settings: string[]): string[] => [
  `--model-repository=${models}`,
  ...settings.flatMap((one) => ['--trace-config', one]),
]

async function infer(serving: Serving, given: Record<string, string> = {}): Promise<void> {
  const reply = await fetch(`${serving.url}/v2/models/identity/infer`, {
    method: 'POST',
    headers: given,
    body: JSON.stringify({ inputs: [INPUT] }),
  })
  expect([reply.status, await reply.text()]).toEqual([200, expect.any(String)])
}

async function terminate(serving: Serving): Promise<number | null> {
  serving.process.kill('SIGTERM')
  return (await serving.ended).code
}

test('traces are in the file while the server runs, and it is whole when the server has ended', async () => {
  const serving = await serve(
    config(`triton,file=${file}`, 'rate=1', 'level=TIMESTAMPS', 'level=TENSORS'),
  )
  await infer(serving)
  await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith(']'))
  for (let i = 0; i < 20; i++) await infer(serving)
  expect(await terminate(serving)).toBe(0)
  const objects = JSON.parse(readFileSync(file, 'utf8')) as { id: number; model_name?: string }[]
  const models = objects.filter((one) => one.model_name === 'identity')
  expect(models.map(({ id }) => id)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1))
})

test('a server that is killed leaves a whole file', async () => {
  const serving = await serve(config(`triton,file=${file}`, 'rate=1', 'level=TIMESTAMPS'))
  for (let i = 0; i < 20; i++) await infer(serving)
  await until(() => readFileSync(file, 'utf8').includes('"id":20'))
  serving.process.kill('SIGKILL')
  await serving.ended
  expect(JSON.parse(readFileSync(file, 'utf8')).length).toBeGreaterThan(20)
})

test('requests over both doors join the trace of their client', async () => {
  collector = await startCollector()
  const { url } = collector
  const serving = await serve(
    config(
      'mode=opentelemetry',
      'level=TIMESTAMPS',
      'rate=0',
      `opentelemetry,url=${url}`,
      'opentelemetry,resource=service.name=mine',
      'opentelemetry,bsp_schedule_delay=20',
    ),
  )
  await infer(serving)
  await infer(serving, headers)
  const client = new RawClient(serving.grpc)
  const { name, datatype, data } = INPUT
  const asked = await client.infer(
    {
      modelName: 'identity',
      inputs: [{ name, datatype, shape: [1n, 4n] }],
      rawInputContents: [new Uint8Array(new Float32Array(data).buffer)],
    },
    { metadata: headers },
  )
  expect(asked.code).toBe(0)
  client.close()
  await until(() => collector?.spans.filter((span) => span.name === 'InferRequest').length === 2)
  expect(collector.spans.every((span) => span.traceId === TRACE)).toBe(true)
  expect(collector.resource).toMatchObject({ 'service.name': 'mine' })
  expect(await terminate(serving)).toBe(0)
})

test('a collector that is gone neither keeps a server from starting nor from ending, and no request fails', async () => {
  const serving = await serve(
    config(
      'mode=opentelemetry',
      'level=TIMESTAMPS',
      'rate=1',
      'opentelemetry,url=http://127.0.0.1:1/v1/traces',
    ),
  )
  for (let i = 0; i < 20; i++) await infer(serving)
  expect(await terminate(serving)).toBe(0)
})

test("OpenTelemetry's packages are loaded by those who use them alone", () => {
  const server = readFileSync(join(ROOT, 'dist/server/server.mjs'), 'utf8')
  expect(server).not.toMatch(/^\s*import\b[^(]*@opentelemetry/m)
})
