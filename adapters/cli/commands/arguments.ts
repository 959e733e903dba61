import { FLAGS } from '../flag-table.ts'

/** A flag of one command. */
export interface CommandFlag {
  readonly name: string
  readonly help: string
  /** Values it takes, the first by default. Absent = it takes none. */
  readonly choices?: readonly string[]
}

export interface CommandArguments {
  /** Its own flags that were given; those that take no value as 'true'. */
  readonly flags: ReadonlyMap<string, string>
  readonly paths: readonly string[]
  /** Flags of the server, for its parser. */
  readonly server: readonly string[]
}

/** A command line that asks for what there is not. */
export class MisuseError extends Error {}

/**
 * Takes a command's own flags and its paths out of a command line; all other flags are the server's (`--backend-config`).
 * Throws MisuseError.
 */
export function commandArguments(
  argv: readonly string[],
  own: readonly CommandFlag[],
): CommandArguments {
  const flags = new Map<string, string>()
  const paths: string[] = []
  const server: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string
    if (!word.startsWith('--')) {
      paths.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const given = equals < 0 ? undefined : word.slice(equals + 1)
    const flag = own.find((known) => known.name === name)
    if (flag === undefined) {
      server.push(word)
      const known = FLAGS.find((one) => one.name === name)
      const next = argv[i + 1]
      if (
        given === undefined &&
        known !== undefined &&
        known.type !== 'flag' &&
        next !== undefined
      ) {
        server.push(next)
        i++
      }
    } else if (flag.choices === undefined) {
      if (given !== undefined) throw new MisuseError(`--${name} takes no value`)
      flags.set(name, 'true')
    } else {
      const value = given ?? argv[++i] ?? ''
      if (!flag.choices.includes(value)) {
        throw new MisuseError(`--${name} takes one of ${flag.choices.join(', ')}, got '${value}'`)
      }
      flags.set(name, value)
    }
  }
  return { flags, paths, server }
}

export interface CommandHelp {
  /** `nereid check REPOSITORY…` */
  readonly synopsis: string
  readonly purpose: string
  readonly flags: readonly CommandFlag[]
}

/** What `--help` of a command prints. */
export function commandUsage({ synopsis, purpose, flags }: CommandHelp): string {
  const lines = flags.map(({ name, choices, help }) => {
    const head = choices === undefined ? `--${name}` : `--${name} <${choices.join('|')}>`
    return `  ${head.padEnd(34)}${help}`
  })
  return [
    `Usage: ${synopsis}`,
    '',
    purpose,
    '',
    ...lines,
    `  ${'--help'.padEnd(34)}Print this`,
    '',
    'Flags of the server that say how models are loaded (--backend-config, --backend-directory, …) are taken, too.',
    '',
  ].join('\n')
}
