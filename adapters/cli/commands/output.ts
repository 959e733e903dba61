/** Where a command prints. */
export interface CommandOutput {
  /** What was asked for. */
  out(text: string): void
  /** What a person should know besides. */
  err(text: string): void
  /** A person reads what goes to {@link out}. */
  readonly terminal: boolean
}
