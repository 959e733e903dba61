export interface Point {
  readonly x: number
  readonly y: number
}

/** Points that are still warming up: caches fill, the heap finds its size, lazy code is compiled. */
export const WARM_UP_SHARE = 0.25

/**
 * The Theil–Sen slope, the median of the slopes of all pairs, of the points after the warm-up: up to 29 % of them may be
 * outliers (a collection that came late) without moving it.
 */
export function slopeAfterWarmUp(points: readonly Point[]): number {
  const steady = points.slice(Math.floor(points.length * WARM_UP_SHARE))
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
