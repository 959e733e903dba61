import { type Figure, kept } from './drill.ts'

/** What a person reads about one drill. */
export function drillTable(result: {
  readonly drill: string
  readonly promise: string
  readonly seconds: number
  readonly passed: boolean
  readonly figures: readonly Figure[]
}): string {
  const { drill, promise, seconds, passed, figures } = result
  const rows = figures.map((figure) => [
    figure.name,
    `${number(figure.value)} ${figure.unit}`.trim(),
    `${figure.least ? 'at least' : 'at most'} ${number(figure.limit)}`,
    kept(figure) ? 'ok' : 'BROKEN',
  ])
  const widths = [0, 1, 2].map((i) => Math.max(0, ...rows.map((row) => (row[i] ?? '').length)))
  const lines = rows.map(([name = '', value = '', limit = '', verdict = '']) =>
    `  ${name.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${limit.padEnd(widths[2] ?? 0)}  ${verdict}`.trimEnd(),
  )
  const verdict = passed ? 'kept' : 'BROKEN'
  return [`${drill}: ${promise}: ${verdict} (${seconds.toFixed(0)} s)`, ...lines].join('\n')
}

function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  return value.toFixed(3)
}
