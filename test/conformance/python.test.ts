import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RawClient } from '../helpers/grpc-client.ts'
import { buildServer, ROOT, type Serving, serve, stopAll } from '../targets/child.ts'
import { type RecordedAnswer, type RecordedCase, readCases } from './cases.ts'
import { compareAnswer } from './compare.ts'
import { readKnownFailing } from './known-failing.ts'
import {
  askGrpc,
  askHttp,
  type CallAnswer,
  type PythonTarget,
  type RecordedCall,
} from './python-asked.ts'
import { AFTER } from './python-questions/index.ts'

const FIXTURES = new URL('../fixtures/', import.meta.url)
/** `test/python/setup.sh core` makes it. */
const PYTHON = join(ROOT, '.cache/python/core/bin/python')
/** All models load one after the other, each in a process of its own. */
const REPLAY_MS = 300_000
const METRICS_MS = 5_000
const POLL_MS = 100
const missing = !existsSync(PYTHON)
if (missing) console.log('recorded Python models: skipped, run test/python/setup.sh core')

const cases = readCases('python.json')
const calls: readonly RecordedCall[] = JSON.parse(
  readFileSync(new URL('recorded/python-grpc.json', FIXTURES), 'utf8'),
)
const known = readKnownFailing(new URL('known-failing-python.txt', import.meta.url))

describe.skipIf(missing)('models in Python, as Triton 2.51 served them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-conformance-python-'))
  const repository = join(folder, 'repository')
  const answers: RecordedAnswer[] = []
  const callAnswers: CallAnswer[] = []
  let serving: Serving

  beforeAll(async () => {
    cpSync(fileURLToPath(new URL('python/repository', FIXTURES)), repository, { recursive: true })
    buildServer()
    serving = await serve([
      `--model-repository=${repository}`,
      '--model-control-mode=explicit',
      `--backend-config=python,python-runtime=${PYTHON}`,
      // As the recorded release has it.
      '--backend-config=python,allow-loaded-code=true',
      '--overload-lag-ms=0',
    ])
    const { url, metricsUrl, grpc } = serving
    const metrics = metricsUrl.replace('/metrics', '')
    const target: PythonTarget = { url, metricsUrl: metrics, grpc, repository }
    const after = cases.findIndex(({ name }) => name === AFTER[0]?.name)
    for (const recorded of cases.slice(0, after)) answers.push(await askHttp(target, recorded))
    const client = new RawClient(grpc)
    for (const call of calls) callAnswers.push(await askGrpc(client, target, call))
    client.close()
    for (const recorded of cases.slice(after)) answers.push(await askLate(target, recorded))
  }, REPLAY_MS)
  afterAll(async () => {
    await stopAll()
    rmSync(folder, { recursive: true, force: true })
  })

  it.each(cases.map((recorded, i) => [`[${recorded.group}] ${recorded.name}`, i] as const))(
    'answer %s the same',
    (_, i) => {
      const recorded = cases[i] as (typeof cases)[number]
      const answer = answers[i] as RecordedAnswer
      const { problems, text } = compareAnswer(recorded, answer)
      const found: unknown[] = [...problems]
      // A model's error is the server's here as there, and its words are the model's.
      if (answer.status !== recorded.answer.status) found.push(answer.status)
      if (text === 'different') found.push({ here: answer.json, Triton: recorded.answer.json })
      expectSame(`python.json | ${recorded.name}`, found, [])
    },
  )

  it.each(calls.map((call, i) => [`${call.method}: ${call.name}`, i] as const))(
    'answer %s the same',
    (_, i) => {
      const { name, answer } = calls[i] as RecordedCall
      expectSame(`python-grpc.json | ${name}`, callAnswers[i], answer)
    },
  )
})

/** Asks as `askHttp` does; metrics are a second old at times, so these are asked until they are as recorded. */
async function askLate(target: PythonTarget, recorded: RecordedCase): Promise<RecordedAnswer> {
  const end = performance.now() + METRICS_MS
  for (;;) {
    const answer = await askHttp(target, recorded)
    if (recorded.path !== '/metrics' || performance.now() > end) return answer
    if (compareAnswer(recorded, answer).problems.length === 0) return answer
    await sleep(POLL_MS)
  }
}

function expectSame(key: string, found: unknown, wanted: unknown): void {
  const cause = known.get(key)
  if (cause === undefined) expect(found).toEqual(wanted)
  else expect(found, `passes: take it off the list (${cause})`).not.toEqual(wanted)
}

describe('what was recorded of Python models', () => {
  it('has a name of its own for each question', () => {
    for (const names of [cases, calls].map((all) => all.map(({ name }) => name))) {
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    }
  })
})

describe('the list of known differences of Python models', () => {
  it('names only what was recorded', () => {
    const names = new Set([
      ...cases.map(({ name }) => `python.json | ${name}`),
      ...calls.map(({ name }) => `python-grpc.json | ${name}`),
    ])
    expect([...known.keys()].filter((key) => !names.has(key))).toEqual([])
  })
})
