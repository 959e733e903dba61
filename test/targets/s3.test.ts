import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestAuthority } from '../helpers/certificates.ts'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'
import { buildServer, type Serving, serve, start, stopAll } from './child.ts'
import { type TargetRepository, targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

if (NO_S3 !== undefined) console.log(`skipped: the server on a repository on S3: ${NO_S3}`)

const PORTS = ['--http-port=0', '--grpc-port=0', '--metrics-port=0']

/** Three places that say which state of the model they belong to. */
const pairConfig = (mark: number): string => `backend: "typescript"
default_model_filename: "model.js"
input [{ name: "IN" data_type: TYPE_INT32 dims: [ 1 ] }]
output [{ name: "OUT" data_type: TYPE_INT32 dims: [ 3 ] }]
parameters [{ key: "mark" value { string_value: "${mark}" } }]
`
const pairCode = (mark: number): string => `import { readFileSync } from 'node:fs'
const file = Number(readFileSync(new URL('mark.txt', import.meta.url), 'utf8'))
let config = 0
export function initialize(context) {
  config = Number(context.config.parameters.mark.string_value)
}
export function execute(requests) {
  return requests.map(() => ({ outputs: { OUT: { shape: [3], data: [${mark}, file, config] } } }))
}
`

describe.skipIf(NO_S3 !== undefined)('a repository on S3', () => {
  let s3: TestS3
  let repository: TargetRepository
  let cache = ''
  beforeAll(async () => {
    buildServer()
    s3 = await testS3()
    repository = targetRepository()
    cache = mkdtempSync(join(tmpdir(), 'nereid-cache-'))
    await upload(repository.folder, 'team/models')
  })
  afterAll(async () => {
    await stopAll()
    await s3.stop()
    repository.remove()
    rmSync(cache, { recursive: true, force: true })
  })

  async function upload(folder: string, prefix: string): Promise<void> {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      await s3.put(`${prefix}/${relative(folder, path)}`, readFileSync(path))
    }
  }

  const flags = (): string[] => [
    `--model-repository=${s3.root}/team/models`,
    `--repository-cache-directory=${cache}`,
  ]

  targetSuite(
    'server on S3',
    async () => {
      const server = await serve(
        [...flags(), '--model-control-mode=poll', '--repository-poll-secs=1'],
        s3.env,
      )
      return { url: server.url, close: () => stop(server) }
    },
    {
      update: async () => {
        repository.addWine()
        await upload(join(repository.folder, 'wine/2'), 'team/models/wine/2')
      },
      about: () => `Node ${process.version}, versitygw`,
    },
  )

  test('a restart downloads nothing', async () => {
    const own = `--repository-cache-directory=${join(cache, 'own')}`
    for (const downloads of [true, false]) {
      const server = await serve([...flags(), own, '--log-verbose=1'], s3.env)
      await stop(server)
      expect(server.log()).toMatch(/successfully loaded 'digits'/)
      expect(/downloaded .*digits\/1/.test(server.log())).toBe(downloads)
    }
  })

  test('a model that is replaced file by file while clients call it answers wholly old or wholly new', async () => {
    const prefix = 'together/models/pair'
    // As slowly as a person's tool may copy: polls fall in between.
    const put = async (mark: number): Promise<void> => {
      await s3.put(`${prefix}/config.pbtxt`, pairConfig(mark))
      await setTimeout(400)
      await s3.put(`${prefix}/1/mark.txt`, String(mark))
      await setTimeout(400)
      await s3.put(`${prefix}/1/model.js`, pairCode(mark))
    }
    await put(1)
    const server = await serve(
      [
        `--model-repository=${s3.root}/together/models`,
        `--repository-cache-directory=${cache}`,
        '--model-control-mode=poll',
        '--repository-poll-secs=1',
      ],
      s3.env,
    )
    const ask = async (): Promise<readonly number[]> => {
      const answer = await fetch(`${server.url}/v2/models/pair/infer`, {
        method: 'POST',
        body: '{"inputs":[{"name":"IN","datatype":"INT32","shape":[1],"data":[0]}]}',
      })
      const body = (await answer.json()) as { error?: string; outputs: { data: number[] }[] }
      expect({ status: answer.status, error: body.error }).toEqual({ status: 200 })
      return body.outputs[0]!.data
    }
    expect(await ask()).toEqual([1, 1, 1])
    for (const mark of [2, 3, 4]) {
      // Each at another time after a poll.
      const written = setTimeout(200 * mark).then(() => put(mark))
      for (;;) {
        const marks = await ask()
        expect(new Set(marks).size).toBe(1)
        if (marks[0] === mark) break
      }
      await written
    }
    await stop(server)
  })

  test('a load request cannot say where a model comes from', async () => {
    const asked: string[] = []
    const trap = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.end('{}')
    })
    trap.listen(0, '127.0.0.1')
    await once(trap, 'listening')
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`
    const server = await serve([...flags(), '--model-control-mode=explicit'], s3.env)
    const load = (name: string, parameters: object): Promise<Response> =>
      fetch(`${server.url}/v2/repository/models/${name}/load`, {
        method: 'POST',
        body: JSON.stringify({ parameters }),
      })
    for (const root of [url, `s3://${url}/bucket`, 'file:///etc']) {
      expect((await load(encodeURIComponent(root), {})).status).toBe(400)
      for (const name of ['url', 'model_repository', 'repository', 'path', 'model_url']) {
        await load('other', { [name]: root })
      }
      expect((await load('iris', { 'file:1/model.onnx': root, config: '{}' })).status).toBe(400)
    }
    expect((await fetch(`${server.url}/v2/models/other/ready`)).status).toBe(400)
    expect(asked).toEqual([])
    await stop(server)
    trap.close()
  })

  test('s3://https:// is S3 over TLS, whose certificate is verified', async () => {
    const authority = new TestAuthority()
    const ca = join(cache, 'authority.pem')
    writeFileSync(ca, authority.cert)
    const tls = createTlsServer(authority.sign('/CN=s3', 'IP:127.0.0.1'), (socket) => {
      const upstream = connect(s3.port, '127.0.0.1')
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy())
      socket.pipe(upstream).pipe(socket)
    })
    tls.listen(0, '127.0.0.1')
    await once(tls, 'listening')
    const { port } = tls.address() as AddressInfo
    const args = [
      `--model-repository=s3://https://127.0.0.1:${port}/${s3.bucket}/team/models`,
      `--repository-cache-directory=${join(cache, 'tls')}`,
    ]
    const server = await serve(args, { ...s3.env, NODE_EXTRA_CA_CERTS: ca })
    expect(server.log()).toMatch(/successfully loaded 'digits'/)
    await stop(server)
    args[1] = `--repository-cache-directory=${join(cache, 'other')}`
    const { code, log } = await start([...PORTS, ...args], s3.env).ended
    expect(code).toBe(1)
    expect(log).toMatch(/cannot read .*certificate/)
    tls.close()
  })

  test('what keeps a start from succeeding is said with what to do', async () => {
    const cases: [string[], Record<string, string>, RegExp][] = [
      [flags(), { ...s3.env, AWS_SECRET_ACCESS_KEY: 'wrong' }, /access denied .*AWS_ACCESS_KEY_ID/],
      [[`--model-repository=${s3.root}x/models`], s3.env, /there is no bucket 'modelsx'/],
      [['--model-repository=as://bucket/models'], s3.env, /scheme that this server does not know/],
      [['--model-repository=s3://NO'], s3.env, /expected s3:\/\/bucket\/prefix/],
    ]
    for (const [args, env, reason] of cases) {
      const { code, log } = await start([...PORTS, ...args], env).ended
      expect(code).toBe(1)
      expect(log).toMatch(reason)
      expect(log).not.toContain(s3.env['AWS_SECRET_ACCESS_KEY'])
    }
  })

  async function stop(server: Serving): Promise<void> {
    server.process.kill('SIGTERM')
    const { code, log } = await server.ended
    if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
  }
})
