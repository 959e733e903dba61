import { describe, expect, test } from 'vitest'
import type { Reply } from './client.ts'
import { atLeast, atMost, kept } from './drill.ts'
import { Generations, generationModel, generationOf } from './generations.ts'
import { inference, question, verify } from './inference.ts'
import { type Affine, apply, IDENTITY } from './models.ts'
import { metric } from './server-figures.ts'

const asked = inference('m', 12, { rows: 2, binary: false })
const json = (values: readonly bigint[], more: object = {}): Reply => {
  const output = { name: 'Y', datatype: 'INT64', shape: [2, 4], data: 'DATA' }
  const body = { id: 'r12', model_name: 'm', model_version: '1', outputs: [output], ...more }
  const text = JSON.stringify(body).replace('"DATA"', `[${values.join(',')}]`)
  return { status: 200, headers: {}, body: Buffer.from(text) }
}
const answer = (affine: Affine, request = asked): bigint[] =>
  [...request.values].map((x) => apply(affine, x))

describe('an answer', () => {
  test('is right with its own 64-bit values, as JSON and as bytes', () => {
    expect(verify(asked, json(answer(IDENTITY)), IDENTITY)).toBe('')
    const binary = { ...asked, binary: true }
    const header = json([]).body
    const values = new Uint8Array(BigInt64Array.from(answer(IDENTITY)).buffer)
    const reply: Reply = {
      status: 200,
      headers: { 'inference-header-content-length': String(header.length) },
      body: Buffer.concat([header, values]),
    }
    expect(verify(binary, reply, IDENTITY)).toBe('')
    values[9] = (values[9] ?? 0) ^ 1
    const changed = { ...reply, body: Buffer.concat([header, values]) }
    expect(verify(binary, changed, IDENTITY)).toMatch(/value 1 is/)
  })

  test("is wrong with another request's values, id, model, shape or a rounded integer", () => {
    const other = inference('m', 13, { rows: 2, binary: false })
    expect(verify(asked, json(answer(IDENTITY, other)), IDENTITY)).toMatch(/value 0 is/)
    expect(verify(asked, json(answer(IDENTITY), { id: 'r13' }), IDENTITY)).not.toBe('')
    expect(verify(asked, json(answer(IDENTITY), { model_name: 'n' }), IDENTITY)).not.toBe('')
    expect(verify(asked, json(answer(IDENTITY).slice(4)), IDENTITY)).not.toBe('')
    const rounded = answer(IDENTITY).map((value) => BigInt(Number(value)))
    expect(verify(asked, json(rounded), IDENTITY)).toMatch(/value \d is/)
    expect(verify(asked, { ...json(answer(IDENTITY)), status: 500 }, IDENTITY)).toMatch(/500/)
  })

  test('never belongs to two requests', () => {
    const seen = new Set<bigint>()
    for (let serial = 0; serial < 500; serial++) {
      for (const value of inference('m', serial, { rows: 3, binary: true }).values) seen.add(value)
    }
    expect(seen.size).toBe(500 * 12)
    expect(question(asked).body).toContain(String(asked.values[0]))
  })
})

describe('a model that is reloaded', () => {
  test('tells its generation, and answers of two generations at once are found', () => {
    expect(generationOf(asked, json(answer(generationModel(7))))).toBe(7)
    const mixed = [
      ...answer(generationModel(7)).slice(0, 4),
      ...answer(generationModel(8)).slice(4),
    ]
    expect(generationOf(asked, json(mixed))).toMatch(/different generations/)
  })

  test('must not answer from before a load that has returned, nor go back, nor run ahead', () => {
    const register = new Generations(2)
    register.loading(2)
    const early = register.begin(0)
    expect(register.end(0, early, 2)).toBe('')
    expect(register.end(0, register.begin(0), 1)).toBe('generation 1 after 2')
    const during = register.begin(1)
    register.loaded(2)
    expect(register.end(1, during, 1)).toBe('')
    expect(register.end(1, register.begin(1), 1)).toBe('generation 1 after 2')
    expect(register.end(1, during, 3)).toBe('generation 3 before it was loaded')
  })
})

test('what was not measured keeps no promise', () => {
  expect([atMost('x', Number.NaN, 1), atLeast('x', Number.NaN, 1)].map(kept)).toEqual([
    false,
    false,
  ])
  expect([atMost('x', 1, 1), atLeast('x', 1, 1)].map(kept)).toEqual([true, true])
})

test('a metric is the sum of its series and of no longer name', () => {
  const text = '# HELP a\na{model="x y"} 2\na{model="z"} 3\na_b 7\n'
  expect([metric(text, 'a'), metric(text, 'a_b'), metric(text, 'b')]).toEqual([5, 7, 0])
})
