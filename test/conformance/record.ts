/**
 * Asks the real Triton what `questions/` lists and writes `test/fixtures/recorded/more.json`.
 * `test/conformance/triton/start.sh 8000 &`, then `tsx test/conformance/record.ts http://127.0.0.1:8000`.
 */
import { writeFileSync } from 'node:fs'
import type { RecordedCase } from './cases.ts'
import { MORE_QUESTIONS } from './questions/index.ts'
import { ask } from './replay.ts'
import { withoutStandIn } from './stand-in.ts'

const base = process.argv[2]
if (base === undefined) throw new Error('usage: record.ts http://HOST:PORT')

const lines: string[] = []
for (const question of MORE_QUESTIONS) {
  const { group, name, method, path, headers = {}, body = {}, compare = 'exact' } = question
  const recorded = { name, group, method, path, headers, body, compare } as const
  const unanswered = { ...recorded, answer: {} } as RecordedCase
  const answer = withoutStandIn(await ask(base, unanswered))
  // Integers beyond 2^53 travel as `#digits` inside; the file has them as numbers.
  const text = JSON.stringify({ ...recorded, answer }).replace(/"#(-?\d+)"/g, '$1')
  lines.push(`  ${text}`)
  console.log(`${String(answer.status)} ${name} ${JSON.stringify(answer.json)?.slice(0, 150)}`)
}
writeFileSync(
  new URL('../fixtures/recorded/more.json', import.meta.url),
  `[\n${lines.join(',\n')}\n]\n`,
)
