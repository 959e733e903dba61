import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

export interface EdgeProcess {
  readonly url: string
  readonly process: ChildProcess
  log(): string
  /** Rejects when it does not end well. */
  close(): Promise<void>
  /** As if its power had gone. */
  kill(): Promise<void>
}

/** The variables of an environment file of systemd's. */
export function environmentOf(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').split('\n')
  return Object.fromEntries(
    lines
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

/** Starts the server of the device and waits until it listens. */
export async function startEdge(
  command: readonly string[],
  env: Record<string, string>,
): Promise<EdgeProcess> {
  const [program = '', ...args] = command
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0']
  const child = spawn(program, [...args, ...ports], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  let log = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      const found = /Started HTTPService at (127\.0\.0\.1:\d+)"/.exec(log)
      if (found !== null) resolve(`http://${found[1]}`)
    })
    void ended.then(([code]) => reject(new Error(`ended with ${code}:\n${log}`)))
  })
  return {
    url,
    process: child,
    log: () => log,
    close: async () => {
      child.kill('SIGTERM')
      const [code] = await ended
      if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
