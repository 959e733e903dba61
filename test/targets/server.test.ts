import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RawClient } from '../helpers/grpc-client.ts'
import { type RawAnswer, send } from '../helpers/http.ts'
import { buildServer, ROOT, type Serving, serve, start, stopAll } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'nereid-target-'))
const good = join(folder, 'good')
const broken = join(folder, 'broken')

function identityModel(root: string, name: string, delayMs = 0): void {
  mkdirSync(join(root, name, '1'), { recursive: true })
  writeFileSync(
    join(root, name, 'config.pbtxt'),
    `backend: "identity"
max_batch_size: 4
input [{ name: "IN" data_type: TYPE_INT32 dims: [ 2 ] }]
output [{ name: "OUT" data_type: TYPE_INT32 dims: [ 2 ] }]
parameters { key: "execute_delay_ms" value { string_value: "${delayMs}" } }
`,
  )
}

const BODY = JSON.stringify({
  id: 'one',
  inputs: [{ name: 'IN', datatype: 'INT32', shape: [1, 2], data: [3, 4] }],
})
const infer = (server: Serving, model: string): Promise<Response> =>
  fetch(`${server.url}/v2/models/${model}/infer`, { method: 'POST', body: BODY })

/** Asks `model` twice and returns once the second request waits: then the first one runs. `answer` is the first's. */
async function inFlight(server: Serving, model: string): Promise<{ answer: Promise<Response> }> {
  const pending = new RegExp(
    `^nv_inference_pending_request_count\\{model="${model}",version="1"\\} 1$`,
    'm',
  )
  const answer = infer(server, model)
  const second = infer(server, model)
  for (const each of [answer, second]) each.catch(() => {})
  const metrics = async (): Promise<string> => (await fetch(server.metricsUrl)).text()
  await expect.poll(metrics, { timeout: 30_000 }).toMatch(pending)
  return { answer }
}

beforeAll(() => {
  buildServer()
  identityModel(good, 'echo')
  identityModel(good, 'slow', 1500)
  identityModel(good, 'stuck', 600_000)
  identityModel(broken, 'echo')
  mkdirSync(join(broken, 'bad', '1'), { recursive: true })
  writeFileSync(join(broken, 'bad', 'config.pbtxt'), 'backend: "identity" bogus: 1')
})
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true }))

test('serves a repository: answers, tables, metrics, and ends on SIGTERM with 0', async () => {
  const server = await serve([`--model-repository=${good}`])
  const response = await infer(server, 'echo')
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({
    id: 'one',
    model_name: 'echo',
    outputs: [{ name: 'OUT', datatype: 'INT32', shape: [1, 2], data: [3, 4] }],
  })
  expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(200)
  const metrics = await (await fetch(server.metricsUrl)).text()
  expect(metrics).toContain('nv_inference_request_success{model="echo",version="1"} 1\n')
  expect(metrics).toMatch(/^nv_cpu_memory_total_bytes \d+$/m)
  expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m)

  const log = server.log()
  expect(log).toMatch(/^\| echo {2}\| 1 {7}\| READY {2}\|$/m)
  expect(log).toMatch(/^\| server_id +\| triton +\|$/m)
  expect(log).toContain(`| ${good} `)
  server.process.kill('SIGTERM')
  const { code, log: all } = await server.ended
  expect(code).toBe(0)
  expect(all).toContain('"Signal (15) received."')
  expect(all).not.toContain('\u001b') // no colours, no banner: nobody is looking
})

test('blocking inferences have more threads than Node gives by default', async () => {
  if (process.platform !== 'linux') return
  const threads = (server: Serving): number =>
    Number(/Threads:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8'))?.[1])
  const one = await serve([`--model-repository=${good}`], { UV_THREADPOOL_SIZE: '1' })
  const many = await serve([`--model-repository=${good}`])
  expect(threads(many) - threads(one)).toBeGreaterThanOrEqual(7)
})

describe('on SIGTERM', () => {
  test('a request in flight is answered first', async () => {
    const server = await serve([`--model-repository=${good}`])
    const { answer } = await inFlight(server, 'slow')
    server.process.kill('SIGTERM')
    await server.line(/Signal \(15\) received/)
    const response = await answer
    expect(response.status).toBe(200)
    expect((await response.json()) as object).toMatchObject({ outputs: [{ data: [3, 4] }] })
    expect((await server.ended).code).toBe(0)
    await expect(fetch(`${server.url}/v2/health/live`)).rejects.toThrow()
  })

  test('what is not done within --exit-timeout-secs is given up, with code 1', async () => {
    const server = await serve([`--model-repository=${good}`, '--exit-timeout-secs=1'])
    const { answer } = await inFlight(server, 'stuck')
    server.process.kill('SIGTERM')
    const { code, log } = await server.ended
    expect(code).toBe(1)
    expect(log).toContain('Exit timeout expired. Exiting immediately.')
    await expect(answer).rejects.toThrow()
  })

  test('a start is stopped in good order, too', async () => {
    for (const line of [/\| Door/, /loading: /, /Started GRPCInferenceService/]) {
      const server = start([
        `--model-repository=${good}`,
        '--http-address=127.0.0.1',
        '--http-port=0',
        '--grpc-address=127.0.0.1',
        '--grpc-port=0',
        '--metrics-address=127.0.0.1',
        '--metrics-port=0',
      ])
      await server.line(line)
      server.process.kill('SIGTERM')
      const { code, log } = await server.ended
      expect(log).toContain('Signal (15) received')
      expect(code).toBe(0)
    }
  })

  test('a second signal ends the process at once', async () => {
    const server = await serve([`--model-repository=${good}`])
    await inFlight(server, 'stuck')
    server.process.kill('SIGINT')
    await server.line(/Signal \(2\) received/)
    server.process.kill('SIGTERM')
    expect((await server.ended).code).toBe(1)
  })
})

describe('a start that cannot be is one clear line and code 1:', () => {
  const errorLines = (log: string): string[] =>
    log.split('\n').filter((line) => line.startsWith('E'))

  test('a port in use', async () => {
    const first = await serve([`--model-repository=${good}`])
    const { host } = new URL(first.url)
    const second = start([
      `--model-repository=${good}`,
      '--http-address=127.0.0.1',
      `--http-port=${host.split(':')[1]}`,
      '--metrics-port=0',
      '--allow-grpc=false',
    ])
    const { code, log } = await second.ended
    expect(code).toBe(1)
    expect(errorLines(log)).toEqual([
      expect.stringContaining(
        `"failed to start HTTP service: Unavailable - Socket '${host}' already in use"`,
      ),
    ])
    expect((await infer(first, 'echo')).status).toBe(200)
  })

  test('a gRPC port in use', async () => {
    const first = await serve([`--model-repository=${good}`])
    const { code, log } = await start([
      `--model-repository=${good}`,
      '--grpc-address=127.0.0.1',
      `--grpc-port=${first.grpc.split(':')[1]}`,
      '--allow-http=false',
      '--allow-metrics=false',
    ]).ended
    expect(code).toBe(1)
    expect(errorLines(log)).toEqual([
      expect.stringContaining(
        `"failed to start GRPC service: Unavailable - Socket '${first.grpc}' already in use"`,
      ),
    ])
  })

  test('a metrics port in use', async () => {
    const first = await serve([`--model-repository=${good}`])
    const { host, port } = new URL(first.metricsUrl)
    const { code, log } = await start([
      `--model-repository=${good}`,
      '--http-address=127.0.0.1',
      '--http-port=0',
      `--metrics-port=${port}`,
      '--allow-grpc=false',
    ]).ended
    expect(code).toBe(1)
    expect(errorLines(log)).toEqual([
      expect.stringContaining(`failed to start Metrics service: Unavailable - Socket '${host}'`),
    ])
  })

  test('a repository that is not there', async () => {
    const { code, log } = await start(['--model-repository=/no/such/place']).ended
    expect(code).toBe(1)
    expect(errorLines(log)).toEqual([
      expect.stringContaining('Internal - failed to stat file /no/such/place'),
    ])
    expect(log).not.toMatch(/^\s+at /m)
  })

  test('a model that does not load', async () => {
    const { code, log } = await start([`--model-repository=${broken}`]).ended
    expect(code).toBe(1)
    expect(errorLines(log).at(-1)).toContain(
      'creating server: Internal - failed to load all models',
    )
    expect(log).toMatch(/bogus/)
    expect(log).not.toContain('Started HTTPService')
  })

  test('an unknown flag', async () => {
    const { code, out, log } = await start(['--model-repositry=x']).ended
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(log).toMatch(/^Usage: nereid \[options\]$/m)
    expect(log).toMatch(
      /unknown option '--model-repositry=x'\n\(Did you mean --model-repository\?\)/,
    )
  })
})

test('with --exit-on-error=false a broken model keeps nobody else from being served', async () => {
  const server = await serve([`--model-repository=${broken}`, '--exit-on-error=false'])
  expect((await infer(server, 'echo')).status).toBe(200)
  expect((await fetch(`${server.url}/v2/health/live`)).status).toBe(200)
  expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(400)
  const lenient = await serve([
    `--model-repository=${broken}`,
    '--exit-on-error=false',
    '--strict-readiness=false',
  ])
  expect((await fetch(`${lenient.url}/v2/health/ready`)).status).toBe(200)
})

test('a restricted API asks for its header, on the way a client takes', async () => {
  const server = await serve([
    `--model-repository=${good}`,
    '--model-control-mode=explicit',
    '--http-restricted-api=model-repository:admin-key=s3cret',
  ])
  const load = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${server.url}/v2/repository/models/echo/load`, { method: 'POST', headers })
  const refused = await load({})
  expect([refused.status, await refused.text()]).toEqual([
    403,
    `{"error":"This API is restricted, expecting header 'admin-key'"}`,
  ])
  expect((await load({ 'Admin-Key': 's3cret' })).status).toBe(200)
  expect((await infer(server, 'echo')).status).toBe(200)
})

test('a restricted inference API asks for its header on every way in', async () => {
  const server = await serve([
    `--model-repository=${good}`,
    '--http-restricted-api=inference:infer-key=s3cret',
  ])
  const ask = (headers: Record<string, string>, path: string): Promise<RawAnswer> =>
    send({ url: `${server.url}/v2/models/echo/${path}`, method: 'POST', body: BODY, headers })
  // With and without what takes the route away from the listener's fast path.
  for (const more of [{}, { 'Accept-Encoding': 'identity' }]) {
    for (const path of ['infer', 'infer?x=1']) {
      expect((await ask(more, path)).status).toBe(403)
      expect((await ask({ ...more, 'infer-key': 'wrong' }, path)).status).toBe(403)
      expect((await ask({ ...more, 'infer-key': 's3cret' }, path)).status).toBe(200)
    }
  }
})

for (const transport of ['native', 'node']) {
  test(`gRPC is served on the ${transport} transport: inference, control, and a shutdown that ends streams`, async () => {
    const server = await serve([`--model-repository=${good}`, `--grpc-transport=${transport}`])
    const client = new RawClient(server.grpc)
    const ready = await client.unary(
      '/inference.GRPCInferenceService/ServerReady',
      new Uint8Array(),
    )
    expect(ready.message).toEqual(Buffer.from([0x08, 1]))
    const config = Buffer.from('\n\x04echo')
    const path = '/inference.GRPCInferenceService/ModelConfig'
    expect((await client.unary(path, config)).code).toBe(0)
    const wrong = await client.infer({ modelName: 'nope' })
    expect(wrong.details).toBe("Request for unknown model: 'nope' is not found")
    const stream = client.inferStream()
    stream.send({ modelName: 'nope' })
    await stream.received(1)
    server.process.kill('SIGTERM')
    expect((await stream.status).details).toMatch(/^GRPC server is shutting down/)
    expect((await server.ended).code).toBe(0)
    client.close()
  })
}

test('the log can go to a file, and standard error stays empty', async () => {
  const file = join(folder, 'server.log')
  const server = start([
    `--model-repository=${good}`,
    '--allow-http=false',
    '--allow-grpc=false',
    '--metrics-port=0',
    '--metrics-address=127.0.0.1',
    `--log-file=${file}`,
    '--log-format=ISO8601',
  ])
  const text = (): string => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  }
  await expect.poll(text, { timeout: 30_000 }).toMatch(/Started Metrics Service/)
  expect(text()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ I \d+ nereid:1\] "Started Metrics/m)
  server.process.kill('SIGTERM')
  expect(await server.ended).toMatchObject({ code: 0, log: '' })
})

test('without a repository the sample models are served, and the log says so', async () => {
  const server = await serve([])
  expect(server.log()).toContain(`serving the sample models in ${join(ROOT, 'models')}`)
  expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(200)
})

test('the sample models are served by the fallback runtime as well, from the bundle', async () => {
  const server = await serve(['--onnx-runtime=node'])
  expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(200)
})

test('--help prints the flags by group and ends with 0', async () => {
  const { code, out, log } = await start(['--help']).ended
  expect([code, log]).toEqual([0, ''])
  for (const title of ['Server', 'Logging', 'Model Repository', 'HTTP', 'Metrics', 'DEPRECATED']) {
    expect(out).toContain(`\n${title}:\n`)
  }
})

test('--version names this server, the Triton it behaves like, and the runtime', async () => {
  const { code, out } = await start(['--version']).ended
  expect(code).toBe(0)
  expect(out).toMatch(/^nereid \d+\.\d+\.\d+ \(Triton 2\.51\.0, Node v\d+/)
})
