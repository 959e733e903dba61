import type { Candidate } from './candidate.ts'

/**
 * The candidate that `value` belongs to, with the shares of the weights: the highest of one number for each, drawn from the
 * value and the version and stretched by the weight. When weights change, values only leave versions whose share shrinks
 * or join those whose share grows. undefined where there is nothing to choose from.
 */
export function stickyChoice(
  candidates: readonly Candidate[],
  value: string,
): Candidate | undefined {
  let best: Candidate | undefined
  let highest = 0
  for (const candidate of candidates) {
    const drawn = (hash(`${candidate.model.version}/${value}`) + 0.5) / 2 ** 32
    const score = candidate.weight / -Math.log(drawn)
    if (score <= highest) continue
    highest = score
    best = candidate
  }
  return best
}

/** FNV-1a over UTF-16 units with a mixing end: neighbouring values have nothing in common. 32 bits, unsigned. */
function hash(text: string): number {
  let bits = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193)
  }
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
