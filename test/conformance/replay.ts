import { Agent } from 'node:http'
import { gunzipSync, inflateSync } from 'node:zlib'
import { type RawAnswer, send } from '../helpers/http.ts'
import { bodyOf, parseExact, type RecordedAnswer, type RecordedCase } from './cases.ts'
import { compareAnswer, errorOf, type Verdict } from './compare.ts'

export interface Outcome {
  readonly recorded: RecordedCase
  readonly answer: RecordedAnswer
  readonly verdict: Verdict
}

/** Asks `base` everything in order and compares each answer, after `clean`, with the recorded one. */
export async function replay(
  base: string,
  cases: readonly RecordedCase[],
  clean: (answer: RecordedAnswer) => RecordedAnswer = (answer) => answer,
): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const outcomes: Outcome[] = []
  try {
    for (const recorded of cases) {
      const answer = clean(await ask(base, recorded, agent))
      outcomes.push({ recorded, answer, verdict: compareAnswer(recorded, answer) })
    }
  } finally {
    agent.destroy()
  }
  return outcomes
}

/** Sends one case; the answer comes in the form in which answers are recorded. */
export async function ask(
  base: string,
  recorded: RecordedCase,
  agent?: Agent,
): Promise<RecordedAnswer> {
  const { method, path, headers } = recorded
  return toRecorded(
    await send({
      url: base + path,
      method,
      headers,
      body: bodyOf(recorded),
      ...(agent && { agent }),
    }),
  )
}

function toRecorded(answer: RawAnswer): RecordedAnswer {
  const encoding = headerOf(answer, 'content-encoding')
  const body =
    encoding === 'gzip'
      ? gunzipSync(answer.body)
      : encoding === 'deflate'
        ? inflateSync(answer.body)
        : answer.body
  const length = headerOf(answer, 'inference-header-content-length')
  const head = length === null ? body : body.subarray(0, Number(length))
  return {
    status: answer.status,
    // Recorded without its parameters.
    content_type: headerOf(answer, 'content-type')?.split(';')[0] ?? null,
    content_encoding: encoding,
    json: head.length === 0 ? null : jsonOrText(head.toString()),
    binary_base64: length === null ? null : body.subarray(Number(length)).toString('base64'),
  }
}

function headerOf(answer: RawAnswer, name: string): string | null {
  const value = answer.headers[name]
  return typeof value === 'string' ? value : null
}

function jsonOrText(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return { __text__: text }
  }
}

/** Share of error answers whose text is Triton's, 0..1; 1 when none counts. */
export function textEquality(outcomes: readonly Outcome[]): number {
  const counted = outcomes.filter((outcome) => outcome.verdict.text !== null)
  const same = counted.filter((outcome) => outcome.verdict.text === 'same')
  return counted.length === 0 ? 1 : same.length / counted.length
}

/** What a person wants to read after a run: figures, then each difference. */
export function summary(title: string, outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter((outcome) => outcome.verdict.problems.length > 0)
  const lines = [
    `${title}: ${outcomes.length - failed.length} of ${outcomes.length} answers as recorded, ` +
      `${(textEquality(outcomes) * 100).toFixed(1)} % of the error texts equal`,
  ]
  for (const { recorded, verdict } of failed) {
    lines.push(`  [${recorded.group}] ${recorded.name}`)
    for (const problem of verdict.problems) lines.push(`      ${problem}`)
  }
  for (const { recorded, answer, verdict } of outcomes) {
    if (verdict.text !== 'different') continue
    lines.push(`  text of [${recorded.group}] ${recorded.name}`)
    lines.push(`      here:   ${errorOf(answer.json)}`)
    lines.push(`      Triton: ${errorOf(recorded.answer.json)}`)
  }
  return lines.join('\n')
}
