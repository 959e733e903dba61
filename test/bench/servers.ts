import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../helpers/free-port.ts'
import { send } from '../helpers/http.ts'
import type { BenchModel } from './models.ts'
import { type Core, onCore, type Running, start } from './processes.ts'

export interface BenchServer {
  readonly url: string
  readonly running: Running
}

const root = fileURLToPath(new URL('../..', import.meta.url))
export const SERVER_SCRIPT: string = join(root, 'dist/server/main.js')
const READY_MS = 60_000
const POLL_MS = 2

/** The floor for `model`, on the server's core. */
export async function startFloor(model: BenchModel, cache: string): Promise<BenchServer> {
  const port = await freePort()
  const script = fileURLToPath(new URL('floor.ts', import.meta.url))
  const args = [script, join(cache, 'onnx', `${model.base}.onnx`), model.base, String(port)]
  const running = start(onCore('server', [process.execPath, '--import', 'tsx', ...args]))
  const url = `http://127.0.0.1:${port}`
  await until(running, async () => (await send({ url })).status > 0)
  return { url, running }
}

export interface TritonFlags {
  readonly repository: string
  /** Nothing else is loaded. */
  readonly models: readonly string[]
  readonly core: Core
  /** Flags that only one side knows. */
  readonly extra?: readonly string[]
}

/** This server. */
export async function startNereid(options: TritonFlags): Promise<BenchServer> {
  return startTritonLike([process.execPath, SERVER_SCRIPT], options)
}

/** The real Triton's wrapper script on this machine; undefined where it is not installed. */
export function findTriton(): string | undefined {
  const path = process.env['TRITONSERVER'] ?? join(root, '.peers/bin/tritonserver')
  return existsSync(path) ? path : undefined
}

/** The real Triton; undefined where it has no ONNX backend. */
export async function startTriton(
  path: string,
  options: TritonFlags,
): Promise<BenchServer | undefined> {
  const server = await startTritonLike([path, '--exit-on-error=false'], options)
  const [model = ''] = options.models
  const ready = await send({ url: `${server.url}/v2/models/${model}/ready` })
  if (ready.status === 200) return server
  await server.running.stop()
  return undefined
}

async function startTritonLike(
  command: readonly string[],
  options: TritonFlags,
): Promise<BenchServer> {
  const [port, metrics] = [await freePort(), await freePort()]
  const flags = [
    `--model-repository=${options.repository}`,
    '--model-control-mode=explicit',
    ...options.models.map((model) => `--load-model=${model}`),
    '--http-address=127.0.0.1',
    `--http-port=${port}`,
    `--metrics-port=${metrics}`,
    '--allow-grpc=false',
    ...(options.extra ?? []),
  ]
  const running = start(onCore(options.core, [...command, ...flags]))
  const url = `http://127.0.0.1:${port}`
  await until(running, async () => (await send({ url: `${url}/v2/health/live` })).status === 200)
  return { url, running }
}

/** Asks until `done`; rejects when the process ended or the time is up. */
export async function until(running: Running, done: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline) {
    if (running.process.exitCode !== null) throw new Error(`ended early:\n${running.output()}`)
    // Refused connections are what waiting looks like.
    if (await done().catch(() => false)) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`not ready after ${READY_MS} ms:\n${running.output()}`)
}
