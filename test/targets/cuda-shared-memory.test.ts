import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, expect, test } from 'vitest'
import { compileCuda } from '../native/cuda/standin.ts'
import { ROOT, serve, stopAll } from './child.ts'

const PYTHON = join(ROOT, '.cache/clients/venv/bin/python')
const HERE = join(ROOT, 'test/native/cuda')
const missing = existsSync(PYTHON)
  ? undefined
  : 'no tritonclient in .cache/clients (test/clients/setup.sh installs it)'
if (missing !== undefined) console.log(`skipped: shared memory on GPUs: ${missing}`)

const cuda = missing === undefined ? compileCuda() : undefined
const folder = mkdtempSync(join(tmpdir(), 'nereid-cuda-shm-'))
const memory = join(folder, 'memory')
const models = join(folder, 'models')
mkdirSync(memory)
mkdirSync(join(models, 'echo/1'), { recursive: true })
writeFileSync(
  join(models, 'echo/config.pbtxt'),
  `backend: "identity"
   input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 1, 64 ] } ]
   output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 1, 64 ] } ]`,
)
afterEach(stopAll)
afterAll(() => {
  cuda?.remove()
  rmSync(folder, { recursive: true, force: true })
})

const FLAGS = [`--model-repository=${models}`, '--allow-client-shm=true']
const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  LD_LIBRARY_PATH: cuda?.folder ?? '',
  CUDA_STANDIN_MEMORY: memory,
  ...more,
})

/** Runs Triton's own client, whose package for CUDA is one on the stand-in. */
async function clients(protocol: 'http' | 'grpc', address: string): Promise<string> {
  const env = { ...process.env, ...environment(), PYTHONPATH: join(HERE, 'python') }
  const { stderr } = await promisify(execFile)(
    PYTHON,
    ['-B', join(HERE, 'client.py'), protocol, address],
    { env },
  )
  return stderr
}

const count = (lines: readonly string[], what: string): number =>
  lines.filter((line) => line.startsWith(`${what} `)).length

test.skipIf(cuda === undefined).each(['http', 'grpc'] as const)(
  'tensors of tritonclient lie on GPUs and never travel, over %s; every handle is closed',
  { timeout: 60_000 },
  async (protocol) => {
    const calls = join(folder, `calls-${protocol}`)
    const server = await serve(FLAGS, environment({ CUDA_STANDIN_CALLS: calls }))
    const address = protocol === 'http' ? new URL(server.url).host : server.grpc
    expect(await clients(protocol, address)).toMatch(/Ran 4 tests[\s\S]*OK/)
    expect(readdirSync(memory)).toEqual([])
    const lines = readFileSync(calls, 'utf8').split('\n')
    expect(count(lines, 'open')).toBeGreaterThan(5)
    expect(count(lines, 'close')).toBe(count(lines, 'open'))
    expect(count(lines, 'release')).toBe(count(lines, 'retain'))
    expect(count(lines, 'kept')).toBe(0)
    // The client learns less than the log.
    expect(server.log()).toContain('failed to open CUDA IPC handle: CUDA: CUDA_ERROR_INVALID_VALUE')
    expect(server.log()).toContain('CUDA_ERROR_PEER_ACCESS_UNSUPPORTED')
    expect(server.log()).toContain('CUDA_ERROR_INVALID_DEVICE')
  },
)

const register = async (url: string): Promise<string> => {
  const raw_handle = { b64: Buffer.alloc(64).toString('base64') }
  const answer = await fetch(`${url}/v2/cudasharedmemory/region/r/register`, {
    method: 'POST',
    body: JSON.stringify({ raw_handle, device_id: 0, byte_size: 8 }),
  })
  return ((await answer.json()) as { error: string }).error
}
const UNSUPPORTED = "failed to register CUDA shared memory region: 'r', GPUs not supported"

test.skipIf(cuda === undefined)(
  'a driver that cannot be used is told in the log, and asked once',
  async () => {
    const server = await serve(FLAGS, environment({ CUDA_STANDIN_FAIL: '3' }))
    for (let i = 0; i < 2; i++) expect(await register(server.url)).toBe(UNSUPPORTED)
    expect(
      server.log().split('no shared memory on GPUs: CUDA: CUDA_ERROR_NOT_INITIALIZED'),
    ).toHaveLength(2)
  },
)

test('without a driver GPUs are not supported', async () => {
  const server = await serve(FLAGS, { LD_LIBRARY_PATH: '/nowhere' })
  const error = await register(server.url)
  if (error !== UNSUPPORTED) return console.log(`skipped: there is a GPU, which says: ${error}`)
  expect(server.log()).not.toContain('GPUs: CUDA')
})
