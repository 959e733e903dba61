import { Command, CommanderError, Option } from 'commander'
import { hostDefaults } from './cloud-options.ts'
import { environmentName, FLAGS } from './flag-table.ts'
import { type Flag, FlagError, type FlagValue } from './flag-types.ts'
import { parseBoolean, parseNumber } from './flag-values.ts'
import { usage } from './help.ts'
import type { ServeOptions } from './options.ts'
import { serveOptions } from './serve-options.ts'

/** What a command line asks for. `text` is to be printed as it is; an error's usage text belongs on standard error. */
export type Parsed =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'error'; readonly message: string; readonly usage: string }
  | {
      readonly kind: 'serve'
      readonly options: ServeOptions
      /** One line per flag that has no effect, and per other oddity. */
      readonly warnings: readonly string[]
    }

export interface ParseOptions {
  /** Without the interpreter and the script. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Named in the usage text. */
  readonly program: string
}

/** Reads tritonserver's flags: `--flag=value`, `--flag value`, repeated flags, `NEREID_FLAG` for what is not given. */
export function parseArguments(options: ParseOptions): Parsed {
  const refuse = (message: string): Parsed => ({
    kind: 'error',
    message,
    usage: usage(options.program),
  })
  if (options.argv.includes('--help')) return { kind: 'help', text: usage(options.program) }
  if (options.argv.includes('--version')) return { kind: 'version' }
  try {
    const given = read(options)
    const warnings = FLAGS.filter(
      // What is switched off is not missed.
      ({ name, effect }) => effect === 'accepted' && given.has(name) && given.get(name) !== false,
    ).map(({ name }) => `--${name} is accepted and has no effect yet`)
    const values = new Map<string, FlagValue>(given)
    const host = hostDefaults(options.env)
    for (const flag of FLAGS) {
      const text = host[flag.name] ?? flag.default
      if (!values.has(flag.name) && text !== undefined) {
        values.set(
          flag.name,
          named(flag, () => typed(flag, text)),
        )
      }
    }
    const served = serveOptions(values, options.env)
    return {
      kind: 'serve',
      options: served.options,
      warnings: [...warnings, ...served.warnings],
    }
  } catch (error) {
    if (error instanceof CommanderError) return refuse(error.message.replace(/^error: /, ''))
    if (error instanceof FlagError) return refuse(error.message)
    throw error
  }
}

/** The flags that were given on the command line or in the environment. */
function read(options: ParseOptions): Map<string, FlagValue> {
  const given = new Map<string, FlagValue>()
  const take = (flag: Flag, text: string): void => {
    const value = named(flag, () => typed(flag, text))
    if (!flag.repeatable) {
      given.set(flag.name, value)
      return
    }
    const before = given.get(flag.name)
    given.set(flag.name, [...(Array.isArray(before) ? before : []), text])
  }

  const command = new Command(options.program)
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .allowExcessArguments(true)
  for (const flag of FLAGS) {
    const option = new Option(flag.type === 'flag' ? `--${flag.name}` : `--${flag.name} <value>`)
    command.addOption(option)
    command.on(`option:${flag.name}`, (text: string | null) => take(flag, text ?? 'true'))
  }
  command.parse(options.argv, { from: 'user' })
  if (command.args.length > 0) throw new FlagError(`Unexpected argument: ${command.args[0]}`)

  for (const flag of FLAGS) {
    const text = options.env[environmentName(flag.name)]
    if (text !== undefined && !given.has(flag.name)) take(flag, text)
  }
  return given
}

function typed(flag: Flag, text: string): string | number | boolean {
  flag.check?.(text)
  switch (flag.type) {
    case 'boolean':
    case 'flag':
      return parseBoolean(text)
    case 'integer':
    case 'float':
      return parseNumber(flag, text)
    case 'choice':
      if (!flag.choices?.includes(text)) {
        throw new FlagError(
          `invalid argument for --${flag.name}, expected one of ${flag.choices?.join(', ')}. Got ${text}`,
        )
      }
      return text
    case 'string':
      return text
  }
}

function named<T>(flag: Flag, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    throw new FlagError(`Bad option: "--${flag.name}".\n${error.message}`)
  }
}
