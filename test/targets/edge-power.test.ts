import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { ROOT } from './child.ts'
import { type EdgeProcess, environmentOf, startEdge } from './edge-process.ts'
import { targetRepository } from './repository.ts'

const repository = targetRepository()
const tsx = (...args: string[]): void => {
  execFileSync(process.execPath, ['--import', 'tsx', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

let cache = ''
let web: Server
/** Contents that were asked for. */
let asked: string[] = []
/** Set: the next model file stops after half of it; called when it did. */
let onHalf: (() => void) | undefined
const running: EdgeProcess[] = []

beforeAll(async () => {
  tsx('infra/build.ts', 'edge', '--quiet')
  tsx('infra/manifest.ts', repository.folder)
  web = createServer((request, response) => serveFile(request.url ?? '', response))
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
})
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'nereid-edge-cache-'))
  asked = []
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill()
  rmSync(cache, { recursive: true, force: true })
})
afterAll(() => {
  web.closeAllConnections()
  web.close()
  repository.remove()
})

function serveFile(url: string, response: ServerResponse): void {
  const path = join(repository.folder, url)
  const { size } = statSync(path)
  response.writeHead(200, { 'content-length': size })
  if (!url.endsWith('.json')) asked.push(url)
  if (onHalf === undefined || !url.endsWith('.onnx')) {
    createReadStream(path).pipe(response)
    return
  }
  const tell = onHalf
  onHalf = undefined
  createReadStream(path, { end: size >> 1 })
    .on('end', tell)
    .pipe(response, { end: false })
}

/** With the settings of the device, but for where things are here. */
async function boot(): Promise<EdgeProcess> {
  const server = await startEdge([process.execPath, join(ROOT, 'dist/edge/main.js')], {
    ...environmentOf(join(ROOT, 'infra/edge/nereid.env')),
    NEREID_MODEL_REPOSITORY: `http://127.0.0.1:${(web.address() as AddressInfo).port}`,
    NEREID_REPOSITORY_CACHE_DIRECTORY: cache,
  })
  running.push(server)
  return server
}

async function label({ url }: EdgeProcess): Promise<unknown> {
  const data = [5.1, 3.5, 1.4, 0.2]
  const inputs = [{ name: 'features', datatype: 'FP32', shape: [1, 4], data }]
  const body = JSON.stringify({ inputs })
  const answer = await fetch(`${url}/v2/models/iris/infer`, { method: 'POST', body })
  const { outputs } = (await answer.json()) as { outputs?: { name: string; data: unknown[] }[] }
  return outputs?.find(({ name }) => name === 'label')?.data[0]
}

test('power that goes while a model comes leaves nothing that is taken for the model', async () => {
  const half = new Promise<void>((resolve) => {
    onHalf = resolve
  })
  const first = await boot()
  const lost = label(first).catch(() => 'lost')
  await half
  await first.kill()
  expect(await lost).toBe('lost')
  const second = await boot()
  expect(await label(second)).toBe('setosa')
  await second.close()
})

test('what came once is not asked for again after power went', async () => {
  const first = await boot()
  expect(await label(first)).toBe('setosa')
  expect(asked.length).toBeGreaterThan(0)
  await first.kill()
  asked = []
  const second = await boot()
  expect(await label(second)).toBe('setosa')
  expect(asked).toEqual([])
  await second.close()
})

test('a copy that lost its end on the disk is replaced', async () => {
  const first = await boot()
  expect(await label(first)).toBe('setosa')
  await first.kill()
  for (const entry of readdirSync(cache, { recursive: true, withFileTypes: true })) {
    // The model in its folder, and the small files that are kept one by one.
    const part = entry.name.endsWith('.onnx') || entry.parentPath.includes('/kept/')
    if (part && entry.isFile()) truncateSync(join(entry.parentPath, entry.name), 10)
  }
  asked = []
  const second = await boot()
  expect(await label(second)).toBe('setosa')
  expect(asked.some((url) => url.endsWith('.onnx'))).toBe(true)
  await second.close()
})
