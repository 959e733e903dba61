import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))
export const MAIN: string = join(ROOT, 'dist/server/main.js')

/** Builds the bundle unless it is up to date, as `npm start` does. */
export function buildServer(): void {
  execFileSync(process.execPath, ['--import', 'tsx', 'infra/build.ts', 'server', '--quiet'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

export interface Child {
  readonly process: ChildProcess
  /** Everything written to standard error so far. */
  log(): string
  /** Resolves when a line of the log matches; rejects when the process ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Exit code, standard output and standard error, when the process has ended. */
  readonly ended: Promise<{ code: number | null; out: string; log: string }>
}

const children: Child[] = []

/** Starts the built server, by another command of its if one is named. Its environment has no flags of ours and no colours. */
export function start(
  args: readonly string[],
  env: Record<string, string> = {},
  main: string = MAIN,
): Child {
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_OPTIONS: ___, ...clean } = process.env
  const child = spawn(process.execPath, [main, ...args], {
    cwd: ROOT,
    env: { ...clean, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let log = ''
  const waiting = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
    for (const look of waiting) look()
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, log }))

  function line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(log)
        if (match === null) return
        waiting.delete(look)
        resolve(match)
      }
      waiting.add(look)
      look()
      void ended.then(({ code }) => reject(new Error(`ended with ${code}:\n${log}`)))
    })
  }
  const started: Child = { process: child, log: () => log, line, ended }
  children.push(started)
  return started
}

export interface Serving extends Child {
  readonly url: string
  readonly metricsUrl: string
  /** Host and port of gRPC. */
  readonly grpc: string
}

/** Starts the built server on free ports of this machine and waits until it listens. */
export async function serve(
  args: readonly string[],
  env?: Record<string, string>,
): Promise<Serving> {
  const child = start(
    [
      '--http-address=127.0.0.1',
      '--http-port=0',
      '--metrics-port=0',
      '--grpc-address=127.0.0.1',
      '--grpc-port=0',
      ...args,
    ],
    env,
  )
  const [, grpc = ''] = await child.line(/Started GRPCInferenceService at (127\.0\.0\.1:\d+)"/)
  const [, http] = await child.line(/Started HTTPService at (127\.0\.0\.1:\d+)"/)
  const [, metrics] = await child.line(/Started Metrics Service at (127\.0\.0\.1:\d+)"/)
  return { ...child, url: `http://${http}`, metricsUrl: `http://${metrics}/metrics`, grpc }
}

/** Ends what a test left running. */
export async function stopAll(): Promise<void> {
  for (const { process: child, ended } of children.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
}
