import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { MAIN, ROOT } from './child.ts'

/** As OpenShift makes them up: nobody's, so without an entry in any list of users. */
const USER = 1_000_680_000

/** Whether somebody else than root can read what the server is made of; not so in a home folder of root. */
function readableByAll(path: string): boolean {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o005) === 0) return false
  }
  accessSync(path, constants.R_OK)
  return true
}

test('the command of KServe starts the server, as a user without a name and a home', async () => {
  const runtime = readFileSync(join(ROOT, 'infra/kserve/cluster-serving-runtime.yaml'), 'utf8')
  const command = [...runtime.matchAll(/^ {8}- (tritonserver|--\S+)$/gm)].map(([, word]) => word)
  expect(command).toEqual([
    'tritonserver',
    '--model-store=/mnt/models',
    '--grpc-port=9000',
    '--http-port=8080',
    '--allow-grpc=true',
    '--allow-http=true',
  ])
  // What differs here: where the models are, and ports that are free.
  const args = command
    .slice(1)
    .map((word = '') => word.replace('/mnt/models', join(ROOT, 'models')))
    .map((word) => word.replace(/port=\d+/, 'port=0'))
  const asUser = process.getuid?.() === 0 && readableByAll(MAIN)
  if (!asUser) console.log(`not shown: that user ${USER} can run it, this is not root`)
  const child = spawn(process.execPath, [MAIN, ...args, '--metrics-port=0'], {
    env: { NEREID_HTTP_ADDRESS: '127.0.0.1', NEREID_GRPC_ADDRESS: '127.0.0.1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(asUser ? { uid: USER, gid: USER } : {}),
  })
  const ended = once(child, 'exit')
  let log = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      const port = /Started HTTPService at 127\.0\.0\.1:(\d+)"/.exec(log)?.[1]
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
    })
    void ended.then(() => reject(new Error(log)))
  })
  try {
    expect((await fetch(`${url}/v2/models/digits/ready`)).status).toBe(200)
    if (asUser) {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      expect(status).toMatch(new RegExp(`^Uid:\\s+${USER}\\s`, 'm'))
    }
  } finally {
    child.kill('SIGTERM')
  }
  expect(await ended).toEqual([0, null])
})

test('the health check of the images says what the server says of itself', async () => {
  const dockerfile = readFileSync(join(ROOT, 'infra/docker/Dockerfile'), 'utf8')
  const checks = [...dockerfile.matchAll(/^HEALTHCHECK.*\\\n\s+CMD (.*)$/gm)].map(
    ([, json]) => json,
  )
  expect(new Set(checks).size).toBe(1)
  expect(checks).toHaveLength(2)
  const [, ...args] = JSON.parse(checks[0] ?? '') as string[]
  let ready = 200
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    response.writeHead(ready).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const check = async (): Promise<number> => {
    const child = spawn(process.execPath, args, { env: { NEREID_HTTP_PORT: String(port) } })
    return (await once(child, 'exit'))[0] as number
  }
  try {
    expect(await check()).toBe(0)
    ready = 400
    expect(await check()).toBe(1)
    expect(asked).toEqual(['/v2/health/ready', '/v2/health/ready'])
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  expect(await check()).toBe(1)
})
