import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer, ROOT, serve, start, stopAll } from './child.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

const repository = targetRepository()
const cache = mkdtempSync(join(tmpdir(), 'nereid-cache-'))
const asked: string[] = []
const web = createServer((request, response) => {
  asked.push(request.url ?? '')
  if (request.url?.startsWith('/moved') === true) {
    response.writeHead(302, { location: '/models/repository.json' }).end()
    return
  }
  try {
    response.end(readFileSync(join(repository.folder, (request.url ?? '').replace('/models/', ''))))
  } catch {
    response.writeHead(404).end()
  }
})
let origin = ''

function publish(): void {
  const script = join(ROOT, 'infra/manifest.ts')
  execFileSync(process.execPath, ['--import', 'tsx', script, repository.folder])
}

beforeAll(async () => {
  buildServer()
  publish()
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
})
afterAll(async () => {
  await stopAll()
  web.closeAllConnections()
  web.close()
  repository.remove()
  rmSync(cache, { recursive: true, force: true })
})

targetSuite(
  'server on a web server',
  async () => {
    const server = await serve([
      `--model-repository=${origin}/models`,
      `--repository-cache-directory=${cache}`,
      '--model-control-mode=poll',
      '--repository-poll-secs=1',
    ])
    return {
      url: server.url,
      close: async () => {
        server.process.kill('SIGTERM')
        const { code, log } = await server.ended
        if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
      },
    }
  },
  {
    update: () => {
      repository.addWine()
      publish()
    },
  },
)

test('a repository that redirects elsewhere, or has no manifest, is refused with a reason', async () => {
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0']
  for (const [root, reason] of [
    ['/moved', /cannot read '.*moved\/repository.json': .*redirect/],
    ['/nowhere', /status 404, a repository on a web server needs a manifest/],
  ] as const) {
    asked.length = 0
    const { code, log } = await start([`--model-repository=${origin}${root}`, ...ports]).ended
    expect(code).toBe(1)
    expect(log).toMatch(reason)
    expect(new Set(asked)).toEqual(new Set([`${root}/repository.json`]))
  }
})
