import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addTrees } from '../../../core/trees/evaluate.ts'
import { finishSums } from '../../../core/trees/finish.ts'
import type { ForestFormat } from '../../../core/trees/read-forest.ts'
import { RowBlock } from '../../../core/trees/row-block.ts'
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
  const block = new RowBlock(forest, rows)
  const data = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  for (let row = 0; row < rows; row += block.rows) {
    const count = Math.min(block.capacity, rows - row)
    block.begin(data, row * forest.features * 4, count)
    addTrees(forest, block, 0, forest.trees)
    finishSums(forest, block)
    for (let i = 0; i < count; i++) {
      answer.push([...block.sums.subarray(i * forest.outputs, (i + 1) * forest.outputs)])
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
