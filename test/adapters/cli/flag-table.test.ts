import { expect, test } from 'vitest'
import { environmentName, FLAG_GROUPS, FLAGS } from '../../../adapters/cli/flag-table.ts'
import { parseArguments } from '../../../adapters/cli/parse.ts'

const parse = (argv: readonly string[]) => parseArguments({ argv, env: {}, program: 'nereid' })

test('help names every flag under its group, with what it takes', () => {
  const parsed = parse(['--http-port=1', '--help'])
  if (parsed.kind !== 'help') throw new Error('no help')
  for (const group of FLAG_GROUPS) {
    expect(parsed.text).toContain(`\n${group.title}:\n`)
    for (const flag of group.flags) {
      expect(parsed.text).toMatch(new RegExp(`\\n  --${flag.name}( <[^\\n]+>)?\\n\\t`))
    }
  }
  for (const line of parsed.text.split('\n')) expect(line.length).toBeLessThanOrEqual(90)
})

test('--version asks for the versions', () => {
  expect(parse(['--version'])).toEqual({ kind: 'version' })
})

test('no two flags share a name or a variable, and every default is a value the flag takes', () => {
  expect(new Set(FLAGS.map((flag) => flag.name)).size).toBe(FLAGS.length)
  expect(new Set(FLAGS.map((flag) => environmentName(flag.name))).size).toBe(FLAGS.length)
  for (const flag of FLAGS) {
    if (flag.default === undefined) continue
    expect(parse([`--${flag.name}=${flag.default}`]), flag.name).toMatchObject({ kind: 'serve' })
  }
})
