import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkRelativePath, MAX_CONFIG_PATH } from '../../../core/config/check-path.ts'

test.each(['labels.txt', 'a/b/c.onnx', '.hidden', 'a..b', '模型.txt', 'with space.txt'])(
  '%s stays inside the folder',
  (path) => {
    expect(() => checkRelativePath(path, 'label_filename')).not.toThrow()
  },
)

const hostile = [
  ...[
    '',
    '.',
    '..',
    '../x',
    'a/../b',
    'a/..',
    './x',
    'a/./b',
    'a//b',
    'a/',
    '/etc/passwd',
    '//host/x',
  ],
  ...[
    'a\\b',
    '..\\x',
    'C:x',
    'file:///etc/passwd',
    'a\0b',
    'a\nb',
    'a\x1bb',
    '%2e%2e/x',
    'a%2Fb',
    '%252e',
  ],
  ...[
    'a\u202eb',
    'a\u2028b',
    ' a',
    'a /b',
    '\ud800',
    'x'.repeat(MAX_CONFIG_PATH + 1),
    'x'.repeat(256),
  ],
]
test.each(hostile)('%j is refused', (path) => {
  expect(() => checkRelativePath(path, 'label_filename')).toThrow(/^label_filename "/)
})

test('a path that passes has no way out, however it is made up', () => {
  const piece = fc.constantFrom(
    '..',
    '.',
    '/',
    '\\',
    'a',
    '%2e',
    '%2f',
    '\0',
    ' ',
    ':',
    '…',
    'b.c',
    '．．',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = pieces.join('')
      try {
        checkRelativePath(path, 'x')
      } catch {
        return
      }
      const url = new URL(path, 'file:///root/model/')
      expect(url.pathname.startsWith('/root/model/')).toBe(true)
      expect(path).not.toMatch(/(^|\/)\.{0,2}(\/|$)/)
    }),
    { seed: 5, numRuns: 5_000 },
  )
})
