import { describe, expect, it } from 'vitest'
import { parsePolicy, policyJson } from '../../../core/traffic/policy.ts'

describe('a traffic policy', () => {
  it('says shares, what sticks, and what is tried', () => {
    const text =
      '{"weights":{"1":90,"2":10.5},"sticky_by":"x-user","shadow":{"version":3,"fraction":0.1}}'
    const policy = parsePolicy(text)
    expect([...policy.weights]).toEqual([
      [1, 90],
      [2, 10.5],
    ])
    expect(policy.stickyBy).toBe('x-user')
    expect(policy.shadow).toEqual({ version: 3, fraction: 0.1 })
    expect(JSON.stringify(policyJson(policy))).toBe(text)
  })

  it('may say nothing', () => {
    expect(parsePolicy('{}')).toEqual({ weights: new Map(), stickyBy: '', shadow: null })
    expect(parsePolicy('{"shadow":{"version":"2"}}').shadow).toEqual({ version: 2, fraction: 1 })
  })

  it.each([
    ['', 'is not JSON'],
    ['[]', 'must be a JSON object'],
    ['null', 'must be a JSON object'],
    ['{"1":90}', "has no member '1', only weights, sticky_by, shadow"],
    ['{"weights":[1]}', 'weights must be an object'],
    ['{"weights":{"x":1}}', "version 'x' is not a number above 0"],
    ['{"weights":{"01":1}}', "version '01' is not a number above 0"],
    ['{"weights":{"1":-1}}', 'weight of version 1 must be a number from 0 to 1000000, got -1'],
    ['{"weights":{"1":"9"}}', 'weight of version 1 must be a number from 0 to 1000000, got "9"'],
    ['{"weights":{"1":1e9}}', 'got 1000000000'],
    ['{"weights":{"1":0,"2":0}}', 'gives no version a weight above 0'],
    ['{"sticky_by":7}', 'sticky_by must be the name of a parameter, got 7'],
    ['{"shadow":{"fraction":0.5}}', 'shadow version must be a number above 0, got nothing'],
    ['{"shadow":{"version":1,"fraction":0}}', 'shadow fraction must be above 0 and at most 1'],
    ['{"shadow":{"version":1,"fraction":1.1}}', 'got 1.1'],
    [`{"sticky_by":"${'x'.repeat(300)}"}`, 'sticky_by must be'],
    [`"${'x'.repeat(20_000)}"`, 'has 20002 characters, the limit is 16384'],
  ])('%s is refused in words', (text, words) => {
    expect(() => parsePolicy(text)).toThrow(words)
  })
})
