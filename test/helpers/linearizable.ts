/** One finished operation on something that is there or not. Times are of one monotonic clock. */
export interface Operation {
  readonly start: number
  readonly end: number
  /** What it found (`before`) and what it left (`after`). */
  readonly before: boolean
  readonly after: boolean
}

/**
 * Whether `operations` can be put in an order that keeps those apart that did not overlap, and in which each finds what the
 * one before left. `initial` is what there was at first.
 */
export function isLinearizable(operations: readonly Operation[], initial: boolean): boolean {
  let states = [initial]
  for (const group of overlapping(operations)) {
    states = [true, false].filter((to) => states.some((from) => reaches(group, from, to)))
  }
  return states.length > 0
}

/** Groups of operations, in order of time, of which none overlaps one of another group. */
function overlapping(operations: readonly Operation[]): Operation[][] {
  const groups: Operation[][] = []
  let end = Number.NEGATIVE_INFINITY
  for (const one of [...operations].sort((a, b) => a.start - b.start)) {
    if (one.start > end) groups.push([])
    groups.at(-1)?.push(one)
    end = Math.max(end, one.end)
  }
  return groups
}

/** Whether some order of `group`, which is sorted by start, leads from one state to the other. */
function reaches(group: readonly Operation[], from: boolean, to: boolean): boolean {
  const done = new Set<number>()
  const dead = new Set<string>()

  function search(state: boolean): boolean {
    if (done.size === group.length) return state === to
    const key = `${state} ${[...done].sort((a, b) => a - b)}`
    if (dead.has(key)) return false
    // Whoever began after somebody still to come had ended comes later.
    let limit = Number.POSITIVE_INFINITY
    for (const [i, one] of group.entries()) {
      if (one.start > limit) break
      if (done.has(i)) continue
      limit = Math.min(limit, one.end)
      if (one.before !== state) continue
      done.add(i)
      const found = search(one.after)
      done.delete(i)
      if (found) return true
    }
    dead.add(key)
    return false
  }
  return search(from)
}
