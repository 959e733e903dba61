import { describe, expect, it } from 'vitest'
import { parseExact, type RecordedAnswer, type RecordedCase } from './cases.ts'
import { compareAnswer } from './compare.ts'

function answer(status: number, json: unknown, binary: string | null = null): RecordedAnswer {
  return {
    status,
    content_type: 'application/json',
    content_encoding: null,
    json,
    binary_base64: binary,
  }
}

function recorded(expected: RecordedAnswer, compare: RecordedCase['compare'] = 'exact') {
  const asked = { name: 'n', group: 'g', method: 'GET', path: '/', headers: {}, body: {} }
  return { ...asked, compare, answer: expected } satisfies RecordedCase
}

describe('comparing with a recorded answer', () => {
  it('names the first place where the JSON differs', () => {
    const { problems } = compareAnswer(
      recorded(answer(200, { a: [1, { b: 2 }] })),
      answer(200, { a: [1, { b: 3 }] }),
    )
    expect(problems).toEqual(['$.a.1.b is 3, Triton 2'])
  })

  it('sees one bit of difference in a tensor', () => {
    expect(
      compareAnswer(recorded(answer(200, {}, 'AA==')), answer(200, {}, 'AQ==')).problems,
    ).toHaveLength(1)
  })

  it('sees the last digit of a 64-bit integer', () => {
    const [left, right] = [
      parseExact('[18446744073709551615, "9007199254740993", 0.10000000149011612]'),
      parseExact('[18446744073709551614, "9007199254740993", 0.10000000149011612]'),
    ]
    expect(compareAnswer(recorded(answer(200, left)), answer(200, right)).problems).toHaveLength(1)
    expect(compareAnswer(recorded(answer(200, left)), answer(200, left)).problems).toEqual([])
  })

  it('allows 400 where Triton blames itself, and nothing else', () => {
    const error = { error: 'x' }
    const of = (status: number) =>
      compareAnswer(recorded(answer(500, error)), answer(status, error)).problems.length
    expect([of(500), of(400), of(404), of(200)]).toEqual([0, 0, 1, 1])
    expect(compareAnswer(recorded(answer(400, error)), answer(500, error)).problems).toHaveLength(1)
  })

  it('takes names of inputs in any order', () => {
    const text = (names: string) => ({ error: `Got input(s) [${names}], but` })
    const verdict = compareAnswer(
      recorded(answer(400, text("'X','A'"))),
      answer(400, text("'A','X'")),
    )
    expect(verdict.text).toBe('same')
  })

  it('finds missing, extra and mistyped keys by schema', () => {
    const expected = recorded(answer(200, { a: 1, b: [{ c: '' }] }), 'schema')
    const of = (json: unknown) => compareAnswer(expected, answer(200, json)).problems
    expect(of({ a: 7, b: [{ c: 'x' }, { c: 'y' }] })).toEqual([])
    expect(of({ a: '7', b: [{ c: 'x' }] })).toEqual(['$.a is string, Triton number'])
    expect(of({ a: 7, b: [{ c: 'x' }, {}] })).toEqual(['$.b[1].c is missing'])
    expect(of({ a: 7, b: [{ c: 'x' }], d: 1 })).toEqual(["$.d is not Triton's"])
  })
})
