/** Elements between free dimensions: `[2,-1,3]` → `[2, 3]`. */
function fixedParts(dims: readonly number[]): number[] {
  const parts = [1]
  for (const dim of dims) {
    if (dim === -1) parts.push(1)
    else parts.push((parts.pop() ?? 1) * dim)
  }
  return parts
}

/** `undefined` where `shape` holds as many elements as `dims`, free dimensions matched one to one. */
export function reshapeProblem(
  name: string,
  dims: readonly number[],
  shape: readonly number[],
  subject: string,
): string | undefined {
  const from = fixedParts(dims)
  const to = fixedParts(shape)
  for (const [what, parts] of [
    ['dims', from],
    ['reshape', to],
  ] as const) {
    if (!parts.every(Number.isSafeInteger)) {
      return `element count for tensor '${name} ${what}' exceeds maximum size of ${Number.MAX_SAFE_INTEGER}`
    }
  }
  const free = from.length > 1
  if (free !== to.length > 1) return `${subject}has different size for dims and reshape`
  if (from.length !== to.length) {
    return `${subject}has different number of variable-size dimensions for dims and reshape`
  }
  if (from.every((part, i) => part === to[i])) return undefined
  return `${subject}has different size for dims and reshape`
}
