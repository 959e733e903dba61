/** Whether two lists of dimensions can be the same; -1 fits everything. */
export function dimsFit(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && a[i] !== -1 && b[i] !== -1) return false
  return true
}

/**
 * The shape under which a tensor goes from one side to another, of which only one has a batch dimension. `dims` are the
 * receiver's, without it; `rows` is the batch size on the giver's side, 0 where it has none. A tensor that fits as it is
 * stays as it is; else a missing batch dimension of 1 is put in front, or one of 1 is taken away.
 */
export function acrossBatching(
  shape: readonly number[],
  dims: readonly number[],
  batches: boolean,
  rows: number,
): readonly number[] {
  if (batches === (rows !== 0)) return shape
  const fits = dimsFit(dims, shape)
  if (batches) return fits ? [1, ...shape] : shape
  return !fits && rows === 1 ? shape.slice(1) : shape
}
