import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

/** Why tests with a real Redis are skipped; undefined = they run. */
export const NO_REDIS: string | undefined = (() => {
  try {
    execFileSync('redis-server', ['--version'])
    return undefined
  } catch {
    return 'no redis-server on this machine'
  }
})()

/** A real Redis of a test's own, on a port that stays the same however often it is started. */
export interface TestRedis {
  readonly port: number
  /** Resolves when it takes connections. */
  start(...settings: string[]): Promise<void>
  /** Keeps it from answering, its connections open. */
  pause(): void
  resume(): void
  kill(): Promise<void>
  /** The reply to one inline command, as it comes over the wire. */
  command(text: string): Promise<string>
  /** Writes a file of its own; returns where. */
  file(name: string, text: string): string
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export async function testRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined

  const kill = async (): Promise<void> => {
    if (child === undefined) return
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    child = undefined
  }
  return {
    port,
    async start(...settings) {
      const fixed = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
      const doors = settings.includes('--port') ? [] : ['--port', String(port)]
      const started = spawn('redis-server', [...doors, ...fixed, ...settings], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child = started
      let text = ''
      await new Promise<void>((resolve, reject) => {
        started.once('exit', () => reject(new Error(`redis-server ended: ${text}`)))
        started.stdout.on('data', (chunk) => {
          text += chunk
          if (text.includes('Ready to accept connections')) resolve()
        })
      })
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    kill,
    command: (text) =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(`${text}\r\n`))
        socket.on('error', reject)
        socket.once('data', (reply) => {
          socket.destroy()
          resolve(reply.toString('latin1'))
        })
      }),
    file(name, text) {
      const path = join(folder, name)
      writeFileSync(path, text)
      return path
    },
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
