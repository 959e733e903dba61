import { plainLeaves } from './plain-leaves.ts'
import type { RowBlock } from './row-block.ts'
import { testedLeaves } from './tested-leaves.ts'
import { type Forest, TEST_SHIFT } from './types.ts'

/** Adds what trees `from` to `to` (not included) say of each row of a block. */
export function addTrees(forest: Forest, block: RowBlock, from: number, to: number): void {
  for (let tree = from; tree < to; tree++) {
    if (forest.plain) plainLeaves(forest, block, tree)
    else testedLeaves(forest, block, tree)
    addLeaves(forest, block, forest.columns[tree] as number)
  }
}

/** Adds the values of the leaves that were found, rounding as the library does. */
function addLeaves(forest: Forest, { rows, sums, leaves }: RowBlock, column: number): void {
  const { values, outputs, single, nodes } = forest
  for (let row = 0; row < rows; row++) {
    const leaf = (nodes[(leaves[row] as number) + 3] as number) >>> TEST_SHIFT
    if (column < 0) addVector(forest, sums, row * outputs, leaf)
    else {
      const sum = (sums[row * outputs + column] as number) + (values[leaf] as number)
      sums[row * outputs + column] = single ? Math.fround(sum) : sum
    }
  }
}

function addVector(forest: Forest, sums: Float64Array, to: number, leaf: number): void {
  const { values, outputs, single } = forest
  for (let i = 0; i < outputs; i++) {
    const sum = (sums[to + i] as number) + (values[leaf + i] as number)
    sums[to + i] = single ? Math.fround(sum) : sum
  }
}
