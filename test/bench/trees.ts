/**
 * Forests here and in the libraries that trained them, one thread each: a row at a time, and a thousand.
 * `npx tsx test/bench/trees.ts` prints a table; needs `.cache/python/ml` (`test/python/setup.sh ml`).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FilRun } from '../../core/backend/fil-run.ts'
import type { Batch } from '../../core/backend/types.ts'
import { InferRequest } from '../../core/infer.ts'
import { type ForestFormat, readForest } from '../../core/trees/read-forest.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PYTHON = process.env['PYTHON'] ?? join(ROOT, '.cache/python/ml/bin/python')
const ROWS = 1000
const SECONDS = 0.6

interface Told {
  readonly library: string
  readonly trees: number
  readonly depth: number
  readonly file: string
  readonly format: ForestFormat
  /** Microseconds for one row and for {@link ROWS}. */
  readonly one: number
  readonly all: number
}

const folder = mkdtempSync(join(tmpdir(), 'bench-trees-'))
try {
  const lines = execFileSync(PYTHON, [join(ROOT, 'test/bench/trees.py'), folder], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  })
  console.log(
    '| forest | 1 row, library | 1 row, here | 1,000 rows, library | 1,000 rows, here | apart by |',
  )
  console.log('|---|---:|---:|---:|---:|---:|')
  for (const line of lines.trim().split('\n')) row(JSON.parse(line) as Told)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function row({ library, trees, depth, file, format, one, all }: Told): void {
  const forest = readForest(format, new Uint8Array(readFileSync(join(folder, file))))
  const run = new FilRun({ forest, answer: 'scores', columns: forest.outputs, threshold: 0.5 })
  const rows = floatsOf('rows')
  const batch = (count: number): Batch => {
    const data = new Uint8Array(rows.buffer, 0, count * forest.features * 4)
    const input = {
      name: 'input__0',
      datatype: 'FP32',
      shape: [count, forest.features],
      data,
    } as const
    return { requests: [new InferRequest({ inputs: [input] }, { answer() {} })], size: count }
  }
  const evaluate = (of: Batch): Uint8Array => {
    run.begin(of)
    while (!run.slice());
    return run.end().data
  }
  const many = batch(ROWS)
  const single = batch(1)
  const found = new Float32Array(evaluate(many).slice().buffer)
  const apart = floatsOf(`${file}.expected`).reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? Number.NaN))),
    0,
  )
  const cells = [one, best(() => evaluate(single)), all, best(() => evaluate(many))]
  const micros = cells.map((value) => `${Math.round(value).toLocaleString('en')} µs`)
  console.log(
    `| ${library}, ${trees} trees of depth ${depth} | ${micros.join(' | ')} | ${apart.toExponential(0)} |`,
  )
}

function floatsOf(file: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(join(folder, file))).buffer)
}

/** Microseconds of the fastest run. */
function best(run: () => void): number {
  let fastest = Number.POSITIVE_INFINITY
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end; ) {
    const begin = performance.now()
    run()
    fastest = Math.min(fastest, performance.now() - begin)
  }
  return fastest * 1000
}
