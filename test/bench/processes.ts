import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'

/** Whether `program` answers on this machine. */
export function hasProgram(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** Server and client on cores of their own, where the machine can say so. */
const canPin = availableParallelism() > 1 && hasProgram('taskset')

export type Core = 'server' | 'client' | 'any'

/** A command line bound to its core: 0 for a server, 1 for a client. */
export function onCore(core: Core, command: readonly string[]): string[] {
  if (core === 'any' || !canPin) return [...command]
  return ['taskset', '-c', core === 'server' ? '0' : '1', ...command]
}

export interface Running {
  readonly process: ChildProcess
  /** Id of the program itself; `taskset` becomes it. */
  readonly pid: number
  /** Everything it wrote so far. */
  output(): string
  stop(): Promise<void>
}

const STOP_MS = 10_000
const MAX_OUTPUT = 100_000

/** Starts a program that runs until it is stopped. */
export function start(command: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-MAX_OUTPUT)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  child.on('error', (error) => keep(Buffer.from(String(error))))
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(hard)
  }
  return {
    process: child,
    pid: child.pid ?? 0,
    output: () => output,
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

/** Runs a program to its end and returns what it printed; throws with that when it fails. */
export async function run(command: readonly string[], timeoutMs: number): Promise<string> {
  const running = start(command)
  const timer = setTimeout(() => running.process.kill('SIGKILL'), timeoutMs)
  const [code] = (await once(running.process, 'close')) as [number | null]
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${running.output()}`)
  return running.output()
}

/** Resident memory of a process in MB. */
export function residentMb(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) / 1024
}
