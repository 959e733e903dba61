import { expect, test } from 'vitest'
import {
  commandArguments,
  commandUsage,
  MisuseError,
} from '../../../../adapters/cli/commands/arguments.ts'

const OWN = [
  { name: 'strict', help: 'More' },
  { name: 'format', help: 'How', choices: ['lines', 'json'] },
]

test("a command's own flags, its paths and the server's flags are told apart", () => {
  const argv = [
    'a',
    '--strict',
    '--backend-config',
    'python,x=y',
    '--format',
    'json',
    '--id=z',
    '--disable-auto-complete-config',
    'b',
  ]
  const { flags, paths, server } = commandArguments(argv, OWN)
  expect([...flags]).toEqual([
    ['strict', 'true'],
    ['format', 'json'],
  ])
  expect(paths).toEqual(['a', 'b'])
  expect(server).toEqual([
    '--backend-config',
    'python,x=y',
    '--id=z',
    '--disable-auto-complete-config',
  ])
})

test.each([
  [['--strict=yes'], '--strict takes no value'],
  [['--format=xml'], "--format takes one of lines, json, got 'xml'"],
  [['--format'], "--format takes one of lines, json, got ''"],
])('%j is misuse', (argv, message) => {
  expect(() => commandArguments(argv, OWN)).toThrow(new MisuseError(message))
})

test('the usage text has each flag', () => {
  const text = commandUsage({ synopsis: 'nereid x FILE', purpose: 'Does it.', flags: OWN })
  expect(text).toMatch(/^Usage: nereid x FILE\n\nDoes it\.\n/)
  expect(text).toMatch(/--strict +More/)
  expect(text).toMatch(/--format <lines\|json> +How/)
})
