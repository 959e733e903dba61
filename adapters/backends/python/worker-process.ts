import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import type { Duplex, Readable } from 'node:stream'
import { messageOf, ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import type { MemoryFiles } from '../../../native/memfd/library.ts'
import { readError } from './answers.ts'
import { Channel } from './channel.ts'
import type { MemoryLimits } from './memory-limits.ts'
import type { Message } from './messages.ts'
import { ReceivedMemory } from './received-memory.ts'
import { SentMemory } from './sent-memory.ts'
import { WorkerOutput } from './worker-output.ts'

/** How long a worker may take to end by itself, and then after SIGTERM, before it is killed. Milliseconds. */
export const END_TIMEOUT_MS = 1_000
/** How often the memory of a worker with a limit is looked at, milliseconds. */
export const MEMORY_INTERVAL_MS = 250
/** How much sooner than others a worker is ended where the machine has no memory left: rather one of them than the server. */
const OUT_OF_MEMORY_SCORE = 500
/** How long the last words of a worker that ended are waited for, milliseconds. */
const LAST_WORDS_MS = 250

/** How a worker is started. */
export interface WorkerCommand {
  /** Path of Python, or its name. */
  readonly python: string
  /** The worker's `main.py`. */
  readonly main: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface WorkerOptions {
  readonly command: WorkerCommand
  readonly files: MemoryFiles
  readonly limits: MemoryLimits
  /** What it may have in memory, MB; 0 = as much as it wants. */
  readonly memoryLimitMb: number
  readonly clock: Clock
  /** See {@link WorkerProcess.name}. */
  readonly name: string
  /** What it prints, after its name. */
  readonly line: (text: string) => void
}

/** Who uses a worker once it has started. */
export interface WorkerUser {
  /** What it throws ends the worker. */
  message(message: Message): void
  /** It ended without being told to. */
  gone(reason: string): void
}

const REPLIES: ReadonlySet<unknown> = new Set(['opened', 'started', 'failed', 'finished'])

/** A process with one instance of a model. */
export class WorkerProcess {
  /** What the log calls it. */
  name: string
  readonly sent: SentMemory
  readonly received: ReceivedMemory
  readonly #options: WorkerOptions
  readonly #child: ChildProcess
  readonly #channel: Channel
  readonly #exited: Promise<void>
  #user: WorkerUser | null = null
  #waiting: ((reply: Message | string) => void) | null = null
  #gone: string | null = null
  #killed = ''
  #stopPolling: (() => void) | null = null

  /** Throws where there is no memory for it; that there is no such Python is told by {@link ask}. */
  constructor(options: WorkerOptions) {
    const { command, files, limits, clock, line } = options
    this.#options = options
    this.name = options.name
    const to = files.create(limits.initial)
    const from = createOr(files, limits.initial, to)
    this.sent = new SentMemory(files, to, limits)
    const free = (at: number): void => this.#channel.free(at)
    this.received = new ReceivedMemory({ files, fd: from, limits, free })
    // A group of its own: what the model started ends with it, and Ctrl-C is for the server alone.
    this.#child = spawn(command.python, [command.main], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', to, from],
      detached: true,
      env: { ...command.environment },
    })
    let lastLine = ''
    const [, stdout, stderr, socket] = this.#child.stdio
    const output = new WorkerOutput({
      clock,
      line: (text) => {
        lastLine = text
        line(`${this.name}: ${text}`)
      },
    })
    for (const stream of [stdout, stderr]) {
      output.read(stream as Readable)
      unref(stream)
    }
    unref(socket)
    this.#child.unref()
    this.#channel = new Channel(socket as Duplex, {
      message: (message) => this.#message(message),
      broken: (reason) => this.#broken(reason),
    })
    this.#exited = new Promise((resolve) => {
      const ended = (reason: string): void => {
        this.#signal('SIGKILL')
        this.#stopPolling?.()
        this.sent.close()
        this.received.close()
        this.#ended(() => reason + afterthought(lastLine, command.python))
        resolve()
      }
      this.#child.once('error', (error) => {
        // Without a process there is no exit.
        if (this.#child.pid === undefined) ended(notStarted(error, command.python))
      })
      this.#child.once('exit', (code, signal) => {
        ended(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`)
      })
    })
    if (this.pid > 0) void sacrifice(this.pid)
    if (options.memoryLimitMb > 0) this.#poll()
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Sends what is answered by exactly one message, and waits for it. Ends the process when that takes too long. */
  async ask(json: string, what: string, timeoutMs: number, signal?: AbortSignal): Promise<Message> {
    const stop = (): void => this.kill('it was no longer wanted')
    signal?.addEventListener('abort', stop)
    let late = false
    const cancel = this.#options.clock.after(timeoutMs * 1e6, () => {
      late = true
      stop()
    })
    this.#child.ref()
    const reply = await new Promise<Message | string>((resolve) => {
      this.#waiting = resolve
      if (this.#gone !== null) this.#answer(this.#gone)
      else this.post(json)
    })
    cancel()
    this.#child.unref()
    signal?.removeEventListener('abort', stop)
    signal?.throwIfAborted()
    if (late) throw new ServerError('UNAVAILABLE', `${what}: it took longer than ${timeoutMs} ms`)
    if (typeof reply === 'string') throw new ServerError('INTERNAL', `${what}: ${reply}`)
    if (reply.kind === 'failed') throw readError(reply.error)
    return reply
  }

  /** Whoever hears of messages from now on. */
  attach(user: WorkerUser): void {
    const gone = this.#gone
    if (gone === null) this.#user = user
    else queueMicrotask(() => user.gone(gone))
  }

  post(json: string): void {
    this.#channel.send(json, this.sent.takeGrown())
  }

  /** Ends it at once; its user hears of it with `reason`. */
  kill(reason: string): void {
    if (this.#gone !== null) return
    this.#killed ||= reason
    this.#signal('SIGKILL')
  }

  /** Ends it, at once or kindly; its user hears nothing of it. Idempotent. */
  async close(kindly = false): Promise<void> {
    this.#user = null
    const gone = this.#gone !== null
    // Nothing else may keep a server alive that is about to say why it cannot start.
    this.#child.ref()
    this.#channel.close()
    if (!gone && !kindly) this.kill('it was closed')
    else if (!gone) {
      const { clock } = this.#options
      const cancels = [
        clock.after(END_TIMEOUT_MS * 1e6, () => this.#signal('SIGTERM')),
        clock.after(2 * END_TIMEOUT_MS * 1e6, () => this.#signal('SIGKILL')),
      ]
      await this.#exited
      for (const cancel of cancels) cancel()
    }
    await this.#exited
  }

  #message(message: Message): void {
    const { free, grown } = message
    if (grown !== undefined) this.received.grow(grown)
    if (free !== undefined) {
      if (!Array.isArray(free)) throw new Error('what it frees is no list')
      for (let i = 0; i < free.length; i++) this.sent.free(free[i])
    }
    if (message.kind === 'free') return
    if (REPLIES.has(message.kind)) this.#answer(message)
    else this.#user?.message(message)
  }

  #answer(reply: Message | string): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(reply)
  }

  #broken(reason: string): void {
    // An end of the channel is mostly that of the process, which says more. Else it must not be first to say why it ends.
    if (reason !== 'it closed its channel') this.kill(reason)
    else this.#options.clock.after(LAST_WORDS_MS * 1e6, () => this.kill(reason))
  }

  /** The process is there no more. What it sent before may not have been read yet. */
  #ended(reason: () => string): void {
    const tell = (): void => {
      if (this.#gone !== null) return
      this.#gone = this.#killed || reason()
      this.#channel.close()
      this.#answer(this.#gone)
      const user = this.#user
      this.#user = null
      user?.gone(this.#gone)
    }
    const { clock } = this.#options
    clock.nextTurn(() => clock.nextTurn(tell))
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // Nobody of its group is left.
    }
  }

  /** Never rejects. */
  #poll(): void {
    const { clock, memoryLimitMb } = this.#options
    const look = async (): Promise<void> => {
      const used = await residentBytes(this.pid)
      if (used > memoryLimitMb * 1024 * 1024) {
        this.kill(`it ran out of memory, memory_limit_mb is ${memoryLimitMb}`)
      } else if (this.#stopPolling !== null) next()
    }
    const next = (): void => {
      this.#stopPolling = clock.after(MEMORY_INTERVAL_MS * 1e6, () => void look())
    }
    next()
  }
}

function createOr(files: MemoryFiles, bytes: number, other: number): number {
  try {
    return files.create(bytes)
  } catch (error) {
    closeSync(other)
    throw error
  }
}

/** What keeps no process alive. */
function unref(stream: unknown): void {
  ;(stream as { unref?: () => void }).unref?.()
}

function notStarted(error: Error, python: string): string {
  if ('code' in error && error.code === 'ENOENT') {
    return `there is no '${python}': install Python 3.8 or newer with numpy ('apt-get install python3 python3-numpy'), or name it with --backend-config=python,python-runtime=PATH`
  }
  return `'${python}' cannot be started: ${messageOf(error)}`
}

/** Never rejects: where there is no such choice, there is none. */
async function sacrifice(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, String(OUT_OF_MEMORY_SCORE)).catch(() => {})
}

/** What its last words say of why a worker ended. */
function afterthought(line: string, python: string): string {
  if (!/No module named '?numpy/.test(line)) return ''
  return `: '${python}' has no numpy, install it with '${python} -m pip install numpy'`
}

/** Memory of a process that is not swapped out, bytes; 0 where nobody can tell. */
async function residentBytes(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
