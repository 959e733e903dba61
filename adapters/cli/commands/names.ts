/** Words that stand in front of the flags and ask for something else than a server. */
const COMMANDS: ReadonlySet<string> = new Set(['inspect', 'check'])

/** Whether `word`, the first of a command line, is a command. */
export function isCommand(word: string | undefined): word is string {
  return word !== undefined && COMMANDS.has(word)
}
