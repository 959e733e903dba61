import type { BuildReport } from './bundle.ts'

const HEAD = ['target', 'scripts', 'bytes', 'gzip', 'budget', 'whole folder'] as const

/** One line for each target: its scripts against their budget, and the folder with everything else in it. Bytes. */
export function sizeTable(reports: ReadonlyMap<string, BuildReport>): string {
  const rows: string[][] = [...reports].map(([target, report]) => [
    target,
    String(report.files),
    grouped(report.bytes),
    grouped(report.gzip),
    `${grouped(report.maxBytes)} (${Math.round((100 * report.bytes) / report.maxBytes)} %)`,
    grouped(report.folderBytes),
  ])
  const widths = HEAD.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
  return [HEAD, ...rows].map(line).join('\n')
}

function grouped(bytes: number): string {
  return bytes.toLocaleString('en-US')
}
