import { FLAG_GROUPS } from './flag-table.ts'
import type { Flag } from './flag-types.ts'

/** Columns that the text of a flag may take; tabs count as eight. */
const WIDTH = 72

/** Triton's usage text: the flags by group, each with what it takes and what it does. */
export function usage(program: string): string {
  const lines = [
    `Usage: ${program} [options]`,
    `       ${program} inspect FILE|FOLDER    Print the config.pbtxt that a model would get`,
    `       ${program} check REPOSITORY…      Say everything that is wrong with repositories`,
    '  --help',
    '\tPrint usage',
    '  --version',
    '\tPrint the versions of this server and of the Triton whose behaviour it has',
  ]
  for (const group of FLAG_GROUPS) {
    lines.push('', `${group.title}:`)
    for (const flag of group.flags) lines.push(...describe(flag))
  }
  lines.push(
    '',
    'Every flag can also be set by an environment variable: --http-port by NEREID_HTTP_PORT.',
    '',
  )
  return lines.join('\n')
}

function describe(flag: Flag): string[] {
  const value = valueText(flag)
  const head = value === '' ? `  --${flag.name}` : `  --${flag.name} <${value}>`
  let text = flag.help
  if (flag.default !== undefined) text += ` Default is ${flag.default}.`
  if (flag.effect === 'accepted') text += ' Accepted, without effect yet.'
  return [head, ...wrap(text).map((line) => `\t${line}`)]
}

function valueText(flag: Flag): string {
  if (flag.type === 'flag') return ''
  if (flag.choices !== undefined) return flag.choices.join('|')
  return flag.value ?? flag.type
}

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return line === '' ? lines : [...lines, line]
}
