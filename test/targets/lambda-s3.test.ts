import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FaultProxy, faultProxy } from '../helpers/fault-proxy.ts'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'
import { ROOT } from './child.ts'
import {
  type EmulatedFunction,
  emulate,
  NO_EMULATOR,
  type Unpacked,
  unpackedFunction,
} from './lambda/emulator.ts'

const missing = NO_EMULATOR ?? NO_S3
if (missing !== undefined) console.log(`skipped: a function with its models on S3: ${missing}`)
const SEVEN = readFileSync(join(ROOT, 'test/fixtures/digits/7.json'), 'utf8')

describe.skipIf(missing !== undefined)('a function with its models on S3', () => {
  let unpacked: Unpacked
  let s3: TestS3
  let wire: FaultProxy
  let running: EmulatedFunction
  const put = (file: string, to: string): Promise<void> =>
    s3.put(`repository/digits/${to}`, readFileSync(join(ROOT, 'models/digits', file)))
  const ask = (path: string, init?: RequestInit): Promise<Response> =>
    running.fetch(`${running.url}/v2/models/digits${path}`, init)
  const infer = async (): Promise<number> =>
    (await ask('/infer', { method: 'POST', body: SEVEN })).status

  beforeAll(async () => {
    unpacked = unpackedFunction()
    s3 = await testS3()
    for (const file of ['config.pbtxt', 'labels.txt', '1/model.onnx']) await put(file, file)
    wire = await faultProxy(s3.port)
    running = await emulate({
      function: unpacked,
      front: 'HTTP API',
      env: {
        ...s3.env,
        AWS_REGION: 'us-east-1',
        NEREID_MODEL_REPOSITORY: `s3://http://127.0.0.1:${wire.port}/${s3.bucket}/repository`,
        NEREID_MODEL_CONTROL_MODE: 'poll',
        NEREID_REPOSITORY_POLL_SECS: '1',
      },
    })
  })
  afterAll(async () => {
    await running?.close()
    await wire?.close()
    await s3?.stop()
    unpacked?.remove()
  })

  test('whose connections were cut while it was stopped answers, and follows S3 with new ones', async () => {
    expect(await infer()).toBe(200)
    await put('1/model.onnx', '2/model.onnx')
    const before = wire.seen.connections
    const versions = async (): Promise<string[]> => {
      // Between two requests the function does not run: it hears of the reset with the next one.
      wire.dropAll()
      expect(await infer()).toBe(200)
      return ((await (await ask('')).json()) as { versions: string[] }).versions
    }
    await expect.poll(versions, { timeout: 40_000 }).toEqual(['2'])
    expect(wire.seen.connections).toBeGreaterThan(before)
    expect(running.log().match(/INIT START/g)).toHaveLength(1)
  })
})
