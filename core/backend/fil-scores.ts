import type { ModelConfig } from '../config/types.ts'
import { finishSums } from '../trees/finish.ts'
import type { RowBlock } from '../trees/row-block.ts'
import type { Forest } from '../trees/types.ts'
import type { FilOptions } from './fil-options.ts'

export const FIL_INPUT = 'input__0'
export const FIL_OUTPUT = 'output__0'

/** What becomes of a row's scores: themselves, the class they say, or the probabilities of both classes of a binary model. */
export type FilAnswer = 'scores' | 'class' | 'both'

export interface FilPlan {
  readonly forest: Forest
  readonly answer: FilAnswer
  /** Of the output. */
  readonly columns: number
  readonly threshold: number
}

/** How `forest` answers under `config`, as FIL does. */
export function filPlan(forest: Forest, options: FilOptions, config: ModelConfig): FilPlan {
  const { probabilities, threshold } = options
  const classes = forest.task === 'binary' || forest.task === 'multiclass'
  const classifier = options.classifier ?? classes
  if (classifier && !probabilities) return { forest, answer: 'class', columns: 1, threshold }
  const output = config.output?.find(({ name }) => name === FIL_OUTPUT)
  if (classifier && forest.outputs === 1 && output?.dims?.at(-1) === 2) {
    return { forest, answer: 'both', columns: 2, threshold }
  }
  const served = probabilities ? withProbabilities(forest) : forest
  return { forest: served, answer: 'scores', columns: forest.outputs, threshold }
}

/** Raw scores of classes, one tree for each, become probabilities. */
function withProbabilities(forest: Forest): Forest {
  const { task, link, vectors } = forest
  if (task !== 'multiclass' || link.name !== 'identity' || vectors) return forest
  return { ...forest, link: { name: 'softmax', scale: 1 } }
}

/** Turns the sums of a block into rows of the answer, written to `out` from `at`. */
export function writeScores(plan: FilPlan, block: RowBlock, out: Float32Array, at: number): void {
  const { forest, answer, threshold } = plan
  const { rows, sums } = block
  const { outputs } = forest
  finishSums(forest, block)
  if (answer === 'scores') {
    for (let i = 0; i < rows * outputs; i++) out[at + i] = sums[i] as number
    return
  }
  for (let row = 0; row < rows; row++) {
    const score = sums[row * outputs] as number
    if (answer === 'both') {
      out[at + 2 * row] = 1 - score
      out[at + 2 * row + 1] = score
    } else if (outputs === 1) out[at + row] = score > threshold ? 1 : 0
    else out[at + row] = largest(sums, row * outputs, outputs)
  }
}

function largest(sums: Float64Array, at: number, outputs: number): number {
  let best = 0
  for (let i = 1; i < outputs; i++) {
    if ((sums[at + i] as number) > (sums[at + best] as number)) best = i
  }
  return best
}
