import { expect, test } from 'vitest'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'

/** What was read, and what was left out. */
function read(text: string) {
  const problems: Error[] = []
  const config = parseConfig(text, { problems })
  return { config, problems: problems.map(({ message }) => message.replace('config.pbtxt:', '')) }
}

test('what is unknown is left out up to its end, whatever its value is', () => {
  for (const value of [
    '1',
    '-1.5',
    'WORD',
    '"a" \'b\'',
    '[ 1, 2, { a: 1 } ]',
    '{ b { c: [ < d: 1 > ] } }',
  ]) {
    const colon = value.startsWith('{') ? '' : ':'
    const { config, problems } = read(`name: "m" unknown${colon} ${value} max_batch_size: 8`)
    expect(config, value).toEqual({ name: 'm', max_batch_size: 8 })
    expect(problems, value).toEqual([expect.stringMatching(/^1:11: unknown: unknown field/)])
  }
})

test('values that do not fit their fields are told one after the other', () => {
  const { config, problems } = read(`max_batch_size: "x"
input { data_type: TYPE_FP31 dims: [ 1, "b", 3 ] }
dynamic_batching { preserve_ordering: perhaps }
max_batch_size: 99999999999
name: "m"`)
  expect(config).toEqual({ input: [{ dims: [1, 3] }], dynamic_batching: {}, name: 'm' })
  expect(problems.map((one) => one.split(': ').slice(0, 2).join(' '))).toEqual([
    '1:17 max_batch_size',
    '2:20 input[0].data_type',
    '2:41 input[0].dims[1]',
    '3:39 dynamic_batching.preserve_ordering',
    '4:17 max_batch_size',
  ])
})

test('text of which nobody knows how it goes on is an error as ever', () => {
  for (const text of ['name: {', 'name: "m" }', 'input [ { name: "a" ', '"name"']) {
    expect(() => read(text), text).toThrow(/config.pbtxt:1:\d+/)
  }
})

test('texts made of pieces in any order end in a config or an error', () => {
  const seed = 20_261_121
  const pieces =
    'name : "m" { } [ ] < > , ; - 1 1.5 input dims data_type TYPE_FP32 bogus parameters key value # \n'
      .split(' ')
      .map((piece) => (piece === '#' ? '' : piece))
  let state = seed
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % pieces.length
  }
  for (let run = 0; run < 5_000; run++) {
    const text = Array.from({ length: 40 }, () => pieces[next()]).join(' ')
    const problems: Error[] = []
    try {
      parseConfig(text, { problems })
    } catch (error) {
      expect((error as Error).message, `seed ${seed}: ${text}`).toMatch(/^config.pbtxt:\d+:\d+: /)
    }
  }
})
