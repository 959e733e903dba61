/** What one flag takes. `choice` is one of `choices`; `flag` takes no value. */
export type FlagType = 'string' | 'integer' | 'float' | 'boolean' | 'choice' | 'flag'

/** `served` = does what Triton does; `accepted` = checked, then named in a warning because it has no effect yet. */
export type FlagEffect = 'served' | 'accepted'

/** One line of the flag table: parser, help, environment and warnings all read it. */
export interface Flag {
  /** Triton's name, without the dashes. */
  readonly name: string
  readonly type: FlagType
  readonly help: string
  readonly effect: FlagEffect
  /** As a user would write it; absent = unset. */
  readonly default?: string
  /** What help shows between `<` and `>`. Default: the type. */
  readonly value?: string
  readonly choices?: readonly string[]
  /** Collects every occurrence instead of taking the last. */
  readonly repeatable?: boolean
  /** Inclusive bounds of an integer or float. */
  readonly min?: number
  readonly max?: number
  /** Checks text that has a format of its own; throws {@link FlagError}. */
  readonly check?: (value: string) => void
}

export interface FlagGroup {
  readonly title: string
  readonly flags: readonly Flag[]
}

export type FlagValue = string | number | boolean | readonly string[]

/** What the user gave, then defaults; a flag without either is absent. */
export type FlagValues = ReadonlyMap<string, FlagValue>

/** A value that a flag cannot take. The message is shown above the usage text. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FlagError'
  }
}
