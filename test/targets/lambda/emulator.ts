import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../helpers/free-port.ts'
import { ROOT } from '../child.ts'
import { eventOf, type Front, responseOf, responseOfStream } from './events.ts'

const CACHE = join(ROOT, '.cache/lambda')
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'x86_64'
const EMULATOR = join(CACHE, `aws-lambda-rie-${MACHINE}`)
/** AWS' runtime client for Node. */
export const CLIENT: string = join(CACHE, 'ric/node_modules/aws-lambda-ric')

/** Why tests in Lambda's emulator are skipped; undefined = they run. */
export const NO_EMULATOR: string | undefined =
  existsSync(EMULATOR) && existsSync(join(CLIENT, 'rapid-client.node'))
    ? undefined
    : 'no Lambda emulator and runtime client in .cache/lambda (test/targets/tools/lambda.sh installs them)'

/** The zips, unpacked as Lambda does. */
export interface Unpacked {
  readonly task: string
  readonly layer: string
  /** What `infra/lambda/package.ts` said. */
  readonly sizes: string
  remove(): void
}

/** Packs the function as it is deployed, and unpacks it. */
export function unpackedFunction(machine: 'x86_64' | 'arm64' = MACHINE): Unpacked {
  const sizes = execFileSync(process.execPath, ['--import', 'tsx', 'infra/lambda/package.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const folder = mkdtempSync(join(tmpdir(), 'nereid-lambda-'))
  const unzip = (name: string, to: string): string => {
    const target = join(folder, to)
    execFileSync('unzip', ['-q', join(ROOT, 'dist/lambda-zips', name), '-d', target])
    return target
  }
  return {
    task: unzip('function.zip', 'task'),
    layer: unzip(`layer-${machine}.zip`, 'opt'),
    sizes,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface EmulatedFunction {
  readonly url: string
  /** Asks through the front; one request at a time, as Lambda gives them to one sandbox. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  /** Invokes with any event and gives what came back as it is. */
  invoke(event: object): Promise<Buffer>
  /** Everything that was written to the function's log. */
  log(): string
  close(): Promise<void>
}

export interface EmulatorOptions {
  readonly function: Unpacked
  readonly front: Front
  /** Which export of the bundle. Default `handler`. */
  readonly handler?: 'handler' | 'stream'
  readonly env?: Readonly<Record<string, string>>
  /** Seconds of one invocation. Default 30. */
  readonly timeoutSecs?: number
}

/**
 * The function in AWS' own emulator of Lambda, run by AWS' own runtime client for Node. Between requests the function is
 * stopped, as Lambda does it. It is loaded by the first request.
 */
export async function emulate(options: EmulatorOptions): Promise<EmulatedFunction> {
  const { front, handler = 'handler', timeoutSecs = 30 } = options
  const { task, layer } = options.function
  const [port, api] = [await freePort(), await freePort()]
  const home = mkdtempSync(join(tmpdir(), 'nereid-sandbox-'))
  mkdirSync(join(home, 'tmp'))
  const child = spawn(
    EMULATOR,
    [
      `--runtime-interface-emulator-address=127.0.0.1:${port}`,
      `--runtime-api-address=127.0.0.1:${api}`,
      process.execPath,
      join(CLIENT, 'index.mjs'),
      `index.${handler}`,
    ],
    {
      cwd: task,
      env: {
        PATH: process.env['PATH'],
        LAMBDA_TASK_ROOT: task,
        NODE_PATH: join(layer, 'nodejs/node_modules'),
        TMPDIR: join(home, 'tmp'),
        AWS_LAMBDA_FUNCTION_NAME: 'nereid-test',
        AWS_LAMBDA_FUNCTION_TIMEOUT: String(timeoutSecs),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let log = ''
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk: Buffer) => {
      log += chunk.toString()
    })
  }
  const ended = once(child, 'close')
  await listening(port, () => child.exitCode)

  const send = async (event: object): Promise<Buffer> => {
    signal(child, 'SIGCONT')
    const invocations = `http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`
    const answer = await fetch(invocations, { method: 'POST', body: JSON.stringify(event) })
    const bytes = Buffer.from(await answer.arrayBuffer())
    signal(child, 'SIGSTOP')
    return bytes
  }
  let last: Promise<unknown> = Promise.resolve()
  const invoke = (event: object): Promise<Buffer> => {
    const next = last.then(() => send(event))
    last = next.catch(() => undefined)
    return next
  }
  return {
    url: 'https://function.test',
    invoke,
    log: () => log,
    fetch: async (url, init) => {
      const bytes = await invoke(await eventOf(front, new Request(url, init)))
      return handler === 'stream' ? responseOfStream(bytes) : responseOf(parsed(bytes))
    },
    close: async () => {
      await last
      signal(child, 'SIGCONT')
      child.kill('SIGTERM')
      await ended
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function parsed(bytes: Buffer) {
  const result = JSON.parse(bytes.toString())
  if (typeof result.statusCode !== 'number') throw new Error(bytes.toString())
  return result
}

/** To the function, which is a child of one of the emulator's threads; before the first request there is none. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
    for (const child of children.split(' ').filter(Boolean)) process.kill(Number(child), name)
  }
}

async function listening(port: number, exitCode: () => number | null): Promise<void> {
  while (exitCode() === null) {
    const open = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (open !== undefined) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`the emulator ended with ${exitCode()}`)
}
