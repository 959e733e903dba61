export interface Point {
  readonly x: number
  readonly y: number
}

/**
 * The Theil–Sen slope, the median of the slopes of all pairs, of the points after the first `warmUp`, in which caches
 * fill and the heap finds its size: up to 29 % of them may be outliers (a collection that came late) without moving it.
 */
export function slopeAfter(warmUp: number, points: readonly Point[]): number {
  const steady = points.slice(warmUp)
  const slopes: number[] = []
  for (const [i, a] of steady.entries()) {
    for (const b of steady.slice(i + 1)) {
      if (b.x !== a.x) slopes.push((b.y - a.y) / (b.x - a.x))
    }
  }
  slopes.sort((a, b) => a - b)
  const middle = slopes.length >> 1
  const upper = slopes[middle] ?? Number.NaN
  return slopes.length % 2 === 1 ? upper : ((slopes[middle - 1] ?? upper) + upper) / 2
}
