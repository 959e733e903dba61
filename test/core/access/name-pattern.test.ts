import { expect, test } from 'vitest'
import { NamePattern } from '../../../core/access/name-pattern.ts'

/** Patterns that RE2 and JavaScript read alike. */
const SAME = [
  '^x-',
  'trace|span',
  '^(a|bc)+$',
  '[^a-c]d',
  'a{2,3}b',
  'a{2}',
  'a{,2}',
  '^$',
  '',
  '(?:ab)?c',
  'a.c',
  '\\bid\\b',
  '\\Bid',
  '[\\w-]+$',
  'x\\d{1,2}\\D',
  '[]a]',
  '(ab|a)(c|bcd)(d*)$',
  'a*?b+?',
  '\\x41b',
  '[a\\-z]9',
]
const NAMES = [
  '',
  'x-request-id',
  'X-Request-Id',
  'traceparent',
  'abcbc',
  'a',
  'c',
  'abc',
  'aab',
  'aaab',
  'a{,2}',
  'bd',
  'ad',
  'id',
  'my-id',
  'grid',
  'idea',
  'x1-',
  'x12',
  'ab',
  'AB',
  'abcd',
  'a-9',
  '-9',
  'z9',
  'axc',
  ']',
  'tenant_id',
]

test.each(SAME)('the pattern %j finds what a backtracking engine finds', (pattern) => {
  // JavaScript reads an empty class where RE2 reads a bracket.
  const peer = new RegExp(pattern.replace('[]a]', '[\\]a]'), 'i')
  const ours = new NamePattern(pattern)
  expect(NAMES.filter((name) => ours.matches(name))).toEqual(
    NAMES.filter((name) => peer.test(name)),
  )
})

test.each([
  ['(?i)x-ID', 'X-id', true],
  ['(?-i)x-id', 'X-id', false],
  ['(?-i)x-id', 'x-id', true],
  ['(?-i)[^a]b', 'Ab', true],
  ['[^a]b', 'Ab', false],
  ['(?-i)a(?i:b)c', 'aBc', true],
  ['(?-i)a(?i:b)c', 'aBC', false],
  ['(?-i)a(?i)b', 'aB', true],
  ['\\Ax-.*\\z', 'x-a', true],
  ['(?P<name>a)b', 'ab', true],
  ['^[[:alpha:]-]+$', 'a-B', true],
  ['^[[:^digit:]]+$', 'a1', false],
  ['^\\Qa.b\\E$', 'a.b', true],
  ['^\\Qa.b\\E$', 'axb', false],
  ['(?s).', 'a', true],
  ['ü', 'ü', false],
])('%j on %j: %s', (pattern, name, wanted) => {
  expect(new NamePattern(pattern).matches(name)).toBe(wanted)
})

test.each([
  ['(', 'missing )'],
  [')', 'unexpected )'],
  ['[a', 'missing ]'],
  ['*a', 'no argument'],
  ['a**', 'bad repetition'],
  ['a{3,2}', 'invalid repetition size'],
  ['a{1001}', 'invalid repetition size'],
  ['(?=a)', 'invalid perl operator'],
  ['(?<!a)b', 'invalid perl operator'],
  ['(a)\\1', 'invalid escape sequence'],
  ['\\pL', 'invalid escape sequence'],
  ['\\', 'trailing'],
  ['[z-a]', 'invalid character class range'],
  ['((a{1000}){1000})', 'pattern too large'],
  ['('.repeat(200), 'nests too deep'],
])('%j is refused: %s', (pattern, text) => {
  expect(() => new NamePattern(pattern)).toThrow(text)
})

test('patterns that ruin a backtracking engine take no longer than others', () => {
  const name = 'a'.repeat(256)
  for (const pattern of ['^(a+)+$!', '(a|a)*!', '(a*)*!', '.*.*.*.*.*.*.*.*!', '(x+x+)+y']) {
    expect(new NamePattern(pattern).matches(name)).toBe(false)
  }
})
