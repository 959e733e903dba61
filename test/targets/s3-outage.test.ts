import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FaultProxy, faultProxy } from '../helpers/fault-proxy.ts'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'
import { buildServer, ROOT, type Serving, serve, start, stopAll } from './child.ts'

if (NO_S3 !== undefined) console.log(`skipped: S3 that goes away: ${NO_S3}`)

const PAYLOAD = 8_000_000

describe.skipIf(NO_S3 !== undefined)('S3 that goes away', () => {
  let s3: TestS3
  let proxy: FaultProxy
  let cache = ''
  beforeAll(async () => {
    buildServer()
    s3 = await testS3()
    proxy = await faultProxy(s3.port)
    cache = mkdtempSync(join(tmpdir(), 'nereid-cache-'))
  })
  afterAll(async () => {
    await stopAll()
    await proxy.close()
    await s3.stop()
    rmSync(cache, { recursive: true, force: true })
  })

  async function upload(model: string, prefix: string): Promise<void> {
    const folder = join(ROOT, 'models', model)
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      await s3.put(`${prefix}/${model}/${relative(folder, path)}`, readFileSync(path))
    }
  }

  const flags = (prefix: string): string[] => [
    `--model-repository=s3://http://127.0.0.1:${proxy.port}/${s3.bucket}/${prefix}`,
    `--repository-cache-directory=${cache}`,
  ]
  const ready = async ({ url }: Serving, model: string): Promise<number> =>
    (await fetch(`${url}/v2/models/${model}/ready`)).status

  test('takes no model down, and is followed again when it is back', async () => {
    await upload('digits', 'outage')
    const server = await serve(
      [...flags('outage'), '--model-control-mode=poll', '--repository-poll-secs=1'],
      s3.env,
    )
    proxy.refuse(true)
    proxy.dropAll()
    await server.line(/failed to poll model repository .*cannot read/)
    expect(await ready(server, 'digits')).toBe(200)
    await upload('iris', 'outage')
    proxy.refuse(false)
    await server.line(/successfully loaded 'iris'/)
    expect(await ready(server, 'iris')).toBe(200)
    expect(await ready(server, 'digits')).toBe(200)
    expect(server.log()).not.toMatch(/unloading|unloaded 'digits'/)
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
  })

  test('in the middle of a load that is gone on with when it is back', async () => {
    await upload('digits', 'broken-off')
    const server = await serve(
      [...flags('broken-off'), '--model-control-mode=poll', '--repository-poll-secs=1'],
      s3.env,
    )
    await s3.put('broken-off/iris/1/weights.bin', new Uint8Array(PAYLOAD))
    const before = proxy.seen.bytes
    await upload('iris', 'broken-off')
    while (proxy.seen.bytes < before + 1_000_000) await new Promise((next) => setTimeout(next, 1))
    proxy.refuse(true)
    proxy.dropAll()
    await server.line(/failed to load 'iris' version 1: .*weights.bin/)
    expect(await ready(server, 'iris')).toBe(400)
    proxy.refuse(false)
    await server.line(/successfully loaded 'iris'/)
    expect(await ready(server, 'digits')).toBe(200)
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
  })

  test('before a server starts leaves it with what it had, until S3 is back', async () => {
    await upload('digits', 'offline')
    const args = [...flags('offline'), '--model-control-mode=poll', '--repository-poll-secs=1']
    const first = await serve(args, s3.env)
    first.process.kill('SIGTERM')
    await first.ended
    proxy.refuse(true)
    const server = await serve(args, s3.env)
    expect(server.log()).toMatch(
      /cannot read .*; going on with what it had when it was reached last/,
    )
    expect(await ready(server, 'digits')).toBe(200)
    await upload('iris', 'offline')
    proxy.refuse(false)
    await server.line(/successfully loaded 'iris'/)
    expect(await ready(server, 'digits')).toBe(200)
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
  })

  test('or a server that is killed in the middle of a download leaves nothing that a later one would take for whole', async () => {
    await s3.put('killed/iris/1/weights.bin', new Uint8Array(PAYLOAD).fill(7))
    await upload('iris', 'killed')
    const before = proxy.seen.bytes
    const first = start(
      [...flags('killed'), '--http-port=0', '--grpc-port=0', '--metrics-port=0'],
      s3.env,
    )
    while (proxy.seen.bytes < before + 1_000_000) await new Promise((next) => setTimeout(next, 1))
    first.process.kill('SIGKILL')
    await first.ended
    const server = await serve(flags('killed'), s3.env)
    expect(await ready(server, 'iris')).toBe(200)
    const copies = readdirSync(cache, { recursive: true, encoding: 'utf8' })
    const weights = copies.filter((path) => path.endsWith('weights.bin'))
    for (const path of weights) {
      expect(readFileSync(join(cache, path)).length).toBe(PAYLOAD)
    }
    expect(copies.filter((path) => /unfinished/.test(path))).toEqual([])
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
  })
})
