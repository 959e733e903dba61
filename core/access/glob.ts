/**
 * Whether `name` is what `pattern` says; `*` stands for any characters, none included, and everything else for itself.
 * Takes time in proportion to both lengths times the number of stars at most.
 */
export function globMatches(pattern: string, name: string): boolean {
  if (pattern === '*') return true
  const parts = pattern.split('*')
  const first = parts[0] as string
  if (parts.length === 1) return name === first
  const last = parts[parts.length - 1] as string
  if (name.length < first.length + last.length) return false
  if (!name.startsWith(first) || !name.endsWith(last)) return false
  const end = name.length - last.length
  let at = first.length
  for (let i = 1; i < parts.length - 1; i++) {
    const part = parts[i] as string
    const found = name.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
