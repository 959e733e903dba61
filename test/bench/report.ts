import type { BenchCase, Contender } from './cases.ts'

export interface Measured {
  readonly case: BenchCase
  /** Answers per second of each round, by contender. */
  readonly rates: Readonly<Partial<Record<Contender, readonly number[]>>>
}

/** A figure with its limit, for what is no rate. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly limit: number
  readonly least: boolean
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** This server's median rate over its reference's; NaN where one is missing. */
export function ratio(measured: Measured, contender: Contender): number {
  const reference = measured.rates[measured.case.reference]
  const own = measured.rates[contender]
  return own && reference ? median(own) / median(reference) : Number.NaN
}

const COLUMNS = [
  'model',
  'conn',
  'reference',
  'nereid',
  'triton',
  'nereid/ref',
  'triton/ref',
  'target',
  '',
]

/** The table that a person reads. */
export function table(results: readonly Measured[], figures: readonly Figure[]): string {
  const rows = results.map((measured) => {
    const { case: bench, rates } = measured
    const share = ratio(measured, 'nereid')
    return [
      bench.name,
      String(bench.connections),
      `${rate(rates[bench.reference])} ${bench.reference}`,
      rate(rates.nereid),
      rate(rates.triton),
      number(share, 2),
      number(ratio(measured, 'triton'), 2),
      bench.target === 0 ? '-' : bench.target.toFixed(2),
      bench.target === 0 ? '' : share >= bench.target ? 'ok' : 'below',
    ]
  })
  const widths = COLUMNS.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  const lines = rows.length > 0 ? [line(COLUMNS), ...rows.map(line), ''] : []
  for (const { name, value, unit, limit, least } of figures) {
    const good = least ? value >= limit : value <= limit
    lines.push(
      `${name}: ${value.toFixed(2)} ${unit} (${least ? 'at least' : 'at most'} ${limit}) ${good ? 'ok' : 'missed'}`,
    )
  }
  return lines.join('\n')
}

function rate(values: readonly number[] | undefined): string {
  if (values === undefined) return '-'
  const value = median(values)
  return value < 1000 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')
}

function number(value: number, digits: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits)
}
