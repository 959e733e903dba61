import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addTrees, BLOCK_ROWS, beginSums } from '../../../core/trees/evaluate.ts'
import { finishSums } from '../../../core/trees/finish.ts'
import type { ForestFormat } from '../../../core/trees/read-forest.ts'
import type { Forest } from '../../../core/trees/types.ts'

/** A model file and what its library predicts; made by train.py. */
export interface TreeCase {
  readonly name: string
  readonly format: ForestFormat
  readonly bytes: Uint8Array
  readonly rows: number
  readonly input: Float32Array
  /** One list for each row. */
  readonly expected: readonly (readonly number[])[]
}

export const FIXTURES: string = fileURLToPath(new URL('../../fixtures/trees', import.meta.url))
const EXTENSIONS = ['model.json', 'ubj', 'txt', 'tl']

export function treeCases(folder: string): TreeCase[] {
  const files = readdirSync(folder)
  const notes = files.filter((file) => /^[\w-]+\.json$/.test(file)).sort()
  return notes.map((note) => {
    const name = note.slice(0, -'.json'.length)
    const model = EXTENSIONS.map((extension) => `${name}.${extension}`).find((file) =>
      files.includes(file),
    )
    const { format, input, expected } = JSON.parse(readFileSync(join(folder, note), 'utf8'))
    const bytes = new Uint8Array(readFileSync(join(folder, model as string)))
    const values = Float32Array.from((input as (number | null)[][]).flat(), (x) => x ?? Number.NaN)
    return { name, format, bytes, rows: input.length, input: values, expected }
  })
}

/** What the forest says of each row, one list for each. */
export function predict(forest: Forest, input: Float32Array, rows: number): number[][] {
  const answer: number[][] = []
  for (let row = 0; row < rows; row += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, rows - row)
    const sums = new Float64Array(count * forest.outputs)
    const block = {
      input,
      at: row * forest.features,
      rows: count,
      sums,
      leaves: new Int32Array(count),
    }
    beginSums(forest, block)
    addTrees(forest, block, 0, forest.trees)
    finishSums(forest, block)
    for (let i = 0; i < count; i++) {
      answer.push([...sums.subarray(i * forest.outputs, (i + 1) * forest.outputs)])
    }
  }
  return answer
}

/** The largest difference, relative where the numbers exceed 1. */
export function difference(
  found: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): number {
  let largest = 0
  expected.forEach((row, i) => {
    row.forEach((value, j) => {
      const other = found[i]?.[j] ?? Number.NaN
      const apart = Math.abs(other - value) / Math.max(1, Math.abs(value))
      if (!(apart <= largest)) largest = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart
    })
    if (found[i]?.length !== row.length) largest = Number.POSITIVE_INFINITY
  })
  return largest
}
