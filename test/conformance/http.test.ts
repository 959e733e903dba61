import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCases } from './cases.ts'
import { readKnownFailing } from './known-failing.ts'
import { type Outcome, replay, summary, textEquality } from './replay.ts'
import { withoutStandIn } from './stand-in.ts'
import { startTarget, type Target } from './target.ts'

/** Share of the error texts that must be Triton's own. */
const TEXT_EQUALITY = 0.95

const isTriton = process.env['NEREID_TARGET_URL'] !== undefined
const known = readKnownFailing(
  new URL(isTriton ? 'triton/known-failing.txt' : 'known-failing.txt', import.meta.url),
)

for (const file of ['http.json', 'more.json']) {
  describe(`recorded answers of Triton 2.51 (${file})`, () => {
    const cases = readCases(file)
    let target: Target
    let outcomes: Outcome[]

    beforeAll(async () => {
      target = await startTarget()
      outcomes = await replay(target.url, cases, isTriton ? withoutStandIn : undefined)
      console.log(summary(file, outcomes))
    })
    afterAll(() => target?.close())

    it.each(cases.map((recorded, i) => [`[${recorded.group}] ${recorded.name}`, i] as const))(
      'answers %s as Triton does',
      (_, i) => {
        const { recorded, verdict } = outcomes[i] as Outcome
        const cause = known.get(`${file} | ${recorded.name}`)
        if (cause === undefined) expect(verdict.problems).toEqual([])
        else expect(verdict.problems, `passes: take it off the list (${cause})`).not.toEqual([])
      },
    )

    it('uses the error texts that clients of Triton know', () => {
      expect(textEquality(outcomes)).toBeGreaterThanOrEqual(TEXT_EQUALITY)
    })
  })
}

describe('the list of known failures', () => {
  it('names only recorded cases', () => {
    const names = new Set(
      ['http.json', 'more.json'].flatMap((file) =>
        readCases(file).map(({ name }) => `${file} | ${name}`),
      ),
    )
    expect([...known.keys()].filter((key) => !names.has(key))).toEqual([])
  })
})
