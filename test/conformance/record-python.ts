/**
 * Asks the real Triton with its Python backend what `python-questions/` lists, with the models of
 * `test/fixtures/python/repository`, and writes `test/fixtures/recorded/python.json` and `python-grpc.json`:
 * `npx tsx test/conformance/record-python.ts --triton PATH`, where PATH starts the server with its backends' folder.
 * With `--only TEXT` it loads the models, asks what has TEXT in its name, and writes nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../helpers/free-port.ts'
import { RawClient } from '../helpers/grpc-client.ts'
import type { RecordedCase } from './cases.ts'
import { askGrpc, askHttp, type PythonTarget } from './python-asked.ts'
import { CALLS } from './python-questions/calls.ts'
import { AFTER, BEFORE } from './python-questions/index.ts'
import type { Question } from './questions/question.ts'

const { triton, only } = parseArgs({
  options: { triton: { type: 'string' }, only: { type: 'string' } },
}).values
if (triton === undefined) throw new Error('usage: record-python.ts --triton PATH')

const FIXTURES = new URL('../fixtures/', import.meta.url)
const START_MS = 30_000
const folder = mkdtempSync(join(tmpdir(), 'record-python-'))
const repository = join(folder, 'repository')
cpSync(fileURLToPath(new URL('python/repository', FIXTURES)), repository, { recursive: true })
const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()]
const child = spawn(
  triton,
  [
    `--model-repository=${repository}`,
    ...['--http-address=127.0.0.1', '--grpc-address=127.0.0.1', '--metrics-address=127.0.0.1'],
    ...[`--http-port=${http}`, `--grpc-port=${grpc}`, `--metrics-port=${metrics}`],
    ...['--model-control-mode=explicit', '--exit-on-error=false', '--metrics-interval-ms=100'],
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
)
const target: PythonTarget = {
  url: `http://127.0.0.1:${http}`,
  metricsUrl: `http://127.0.0.1:${metrics}`,
  grpc: `127.0.0.1:${grpc}`,
  repository,
}

/** Asks, and keeps what can be replayed: a server that does not answer leaves nothing to compare with. */
async function record(lines: string[], question: Question): Promise<void> {
  const { group, name, method, path, headers = {}, body = {}, compare = 'exact' } = question
  if (
    only !== undefined &&
    !`load ${name}`.includes(only) &&
    !BEFORE.some((one) => one === question && name.startsWith('load '))
  )
    return
  const asked = { name, group, method, path, headers, body, compare } as const
  const answer = await askHttp(target, { ...asked, answer: {} } as RecordedCase).catch(() => null)
  if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended by ${name}`)
  console.log(`${answer?.status} ${name} ${JSON.stringify(answer?.json)?.slice(0, 400)}`)
  if (answer === null) return
  // Integers beyond 2^53 travel as `#digits` inside; the file has them as numbers.
  lines.push(JSON.stringify({ ...asked, answer }).replace(/"#(-?\d+)"/g, '$1'))
}

function write(file: string, lines: readonly string[]): void {
  const text = `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]\n`
  writeFileSync(new URL(`recorded/${file}`, FIXTURES), text)
}

try {
  const deadline = Date.now() + START_MS
  while (!(await fetch(`${target.url}/v2/health/live`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline) throw new Error(`${triton} does not start`)
    await sleep(100)
  }
  const lines: string[] = []
  for (const question of BEFORE) await record(lines, question)
  const client = new RawClient(target.grpc)
  const calls: string[] = []
  for (const call of CALLS.filter(({ name }) => only === undefined || name.includes(only))) {
    const answer = await askGrpc(client, target, call)
    console.log(`${answer.code} ${call.name} ${JSON.stringify(answer.body)?.slice(0, 400)}`)
    calls.push(JSON.stringify({ ...call, answer }))
  }
  client.close()
  for (const question of AFTER) await record(lines, question)
  if (only === undefined) {
    write('python.json', lines)
    write('python-grpc.json', calls)
  }
} finally {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  rmSync(folder, { recursive: true })
}
