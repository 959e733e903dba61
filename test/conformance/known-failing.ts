import { readFileSync } from 'node:fs'

/**
 * Reads a list of cases that are known to fail: `file | case | cause` per line, `#` starts a comment line. The cause is
 * required. Keys are `file | case`.
 */
export function readKnownFailing(path: URL): ReadonlyMap<string, string> {
  const known = new Map<string, string>()
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [file, name, ...cause] = line.split('|').map((part) => part.trim())
    if (!file || !name || cause.join('').length === 0) throw new Error(`no cause in "${line}"`)
    known.set(`${file} | ${name}`, cause.join(' | '))
  }
  return known
}
