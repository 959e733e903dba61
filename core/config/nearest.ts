/** Names longer than this get no suggestion: nobody mistypes a known name into one. */
export const MAX_SUGGESTED_LENGTH = 64

/** `; did you mean 'x'?` for the known name nearest to `name`, '' where none is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  if (name.length > MAX_SUGGESTED_LENGTH) return ''
  let best = ''
  let least = Math.ceil(name.length / 3) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), least)
    if (distance < least) {
      best = candidate
      least = distance
    }
  }
  return best === '' ? '' : `; did you mean '${best}'?`
}

/** Insertions, deletions and replacements from `a` to `b`; any number >= `limit` means "at least that". */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 0; i < a.length; i++) {
    const row = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (previous[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      row.push(Math.min(replaced, (previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? limit
}
