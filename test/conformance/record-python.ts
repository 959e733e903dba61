/**
 * Asks the real Triton with its Python backend what `python-questions/` lists, with the models of
 * `test/fixtures/python/repository`, and writes `test/fixtures/recorded/python.json` and `python-grpc.json`:
 * `npx tsx test/conformance/record-python.ts --triton PATH`, where PATH starts the server with its backends' folder.
 * The real one of 2.51 ends at random where a call of a model raises: ask what is missing then again.
 * With `--only TEXT` (several times, too) it asks again what has TEXT in its name and keeps all other answers; `--load MODEL` names
 * models that this needs beside those that it names itself.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

const { triton, only, load } = parseArgs({
  options: {
    triton: { type: 'string' },
    only: { type: 'string', multiple: true },
    load: { type: 'string', multiple: true, default: [] },
  },
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

const httpBefore = earlier('python.json')
const callsBefore = earlier('python-grpc.json')

const isAsked = ({ name }: { readonly name: string }): boolean =>
  only === undefined || only.some((text) => name.includes(text))

/** Answers of an earlier run: one line for each. */
function earlier(file: string): ReadonlyMap<string, string> {
  if (only === undefined) return new Map()
  const lines = readFileSync(new URL(`recorded/${file}`, FIXTURES), 'utf8').split('\n')
  return new Map(
    lines
      .filter((line) => line.startsWith('  {'))
      .map((line) => line.trim().replace(/,$/, ''))
      .map((line) => [(JSON.parse(line) as { name: string }).name, line]),
  )
}

/** Asks; a server that does not answer leaves nothing to compare with. */
async function record(question: Question): Promise<string | undefined> {
  const { group, name, method, path, headers = {}, body = {}, compare = 'exact' } = question
  const asked = { name, group, method, path, headers, body, compare } as const
  const answer = await askHttp(target, { ...asked, answer: {} } as RecordedCase).catch(() => null)
  if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended by ${name}`)
  console.log(`${answer?.status} ${name} ${JSON.stringify(answer?.json)?.slice(0, 400)}`)
  if (answer === null) return undefined
  // Integers beyond 2^53 travel as `#digits` inside; the file has them as numbers.
  return JSON.stringify({ ...asked, answer }).replace(/"#(-?\d+)"/g, '$1')
}

async function recordAll(questions: readonly Question[], lines: (string | undefined)[]) {
  for (const question of questions) {
    lines.push(isAsked(question) ? await record(question) : httpBefore.get(question.name))
  }
}

function write(file: string, lines: readonly (string | undefined)[]): void {
  const kept = lines.filter((line) => line !== undefined)
  const text = `[\n${kept.map((line) => `  ${line}`).join(',\n')}\n]\n`
  writeFileSync(new URL(`recorded/${file}`, FIXTURES), text)
}

try {
  const deadline = Date.now() + START_MS
  while (!(await fetch(`${target.url}/v2/health/live`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline) throw new Error(`${triton} does not start`)
    await sleep(100)
  }
  if (only !== undefined) {
    const paths = [...BEFORE, ...AFTER].filter(isAsked).map(({ path }) => path)
    const named = paths.flatMap((path) => /\/models\/(\w+)\//.exec(path)?.[1] ?? [])
    for (const model of new Set([...load, ...named])) {
      await fetch(`${target.url}/v2/repository/models/${model}/load`, { method: 'POST' })
    }
  }
  const lines: (string | undefined)[] = []
  await recordAll(BEFORE, lines)
  const client = new RawClient(target.grpc)
  const calls: (string | undefined)[] = []
  for (const call of CALLS) {
    if (!isAsked(call)) {
      calls.push(callsBefore.get(call.name))
      continue
    }
    const answer = await askGrpc(client, target, call)
    console.log(`${answer.code} ${call.name} ${JSON.stringify(answer.body)?.slice(0, 400)}`)
    if (answer.code !== 'DEADLINE_EXCEEDED') calls.push(JSON.stringify({ ...call, answer }))
  }
  client.close()
  await recordAll(AFTER, lines)
  write('python.json', lines)
  write('python-grpc.json', calls)
} finally {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  rmSync(folder, { recursive: true })
}
