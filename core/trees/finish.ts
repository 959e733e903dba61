import type { RowBlock } from './row-block.ts'
import type { Forest, Link } from './types.ts'

/** Turns the sums of a block, in place, into what the library's own `predict` says. */
export function finishSums(forest: Forest, { rows, sums }: RowBlock): void {
  const { outputs, divisors, base, baseFirst } = forest
  for (let row = 0; row < rows; row++) {
    const at = row * outputs
    for (let i = 0; i < outputs; i++) {
      let sum = sums[at + i] as number
      if (divisors.length > 0) sum /= divisors[i] as number
      if (!baseFirst) sum += base[i] as number
      sums[at + i] = sum
    }
    applyLink(forest.link, sums, at, outputs)
  }
}

function applyLink(link: Link, row: Float64Array, at: number, outputs: number): void {
  if (link.name === 'identity') return
  if (link.name === 'softmax') {
    softmax(row, at, outputs)
    return
  }
  for (let i = at; i < at + outputs; i++) row[i] = linked(link, row[i] as number)
}

function linked({ name, scale }: Link, sum: number): number {
  switch (name) {
    case 'sigmoid':
    case 'ova':
      return 1 / (1 + Math.exp(-scale * sum))
    case 'exponential':
      return Math.exp(sum)
    case 'hinge':
      return sum > 0 ? 1 : 0
    case 'log1p_exp':
      return Math.log1p(Math.exp(sum))
    case 'signed_square':
      return sum < 0 ? -sum * sum : sum * sum
    case 'standard_ratio':
      return 2 ** (-sum / scale)
    default:
      return sum
  }
}

function softmax(row: Float64Array, at: number, outputs: number): void {
  let largest = Number.NEGATIVE_INFINITY
  for (let i = at; i < at + outputs; i++) largest = Math.max(largest, row[i] as number)
  let total = 0
  for (let i = at; i < at + outputs; i++) {
    const power = Math.exp((row[i] as number) - largest)
    row[i] = power
    total += power
  }
  for (let i = at; i < at + outputs; i++) row[i] = (row[i] as number) / total
}
