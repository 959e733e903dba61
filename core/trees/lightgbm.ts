import { badModel } from './bad-model.ts'
import { ForestBuilder, MAX_FOREST_OUTPUTS } from './forest-builder.ts'
import { lightgbmObjective } from './lightgbm-objective.ts'
import { type Section, whole } from './lightgbm-section.ts'
import { LightgbmTree } from './lightgbm-tree.ts'
import type { Forest } from './types.ts'

/** Reads a model in LightGBM's text format. */
export function readLightgbm(bytes: Uint8Array): Forest {
  const { head, trees } = sectionsOf(new TextDecoder().decode(bytes))
  const classes = whole(head, 'num_class')
  const columns = head.has('num_tree_per_iteration')
    ? whole(head, 'num_tree_per_iteration')
    : classes
  if (!(columns >= 1 && columns <= MAX_FOREST_OUTPUTS)) throw badModel(`${columns} trees at a time`)
  const { task, link } = lightgbmObjective(head.get('objective') ?? 'custom', columns)
  const builder = new ForestBuilder({
    task,
    features: whole(head, 'max_feature_idx') + 1,
    outputs: columns,
    link,
    base: new Float64Array(columns),
    baseFirst: false,
    single: false,
    average: head.has('average_output'),
  })
  for (let i = 0; i < trees.length; i++) {
    builder.add(new LightgbmTree(trees[i] as Section), i % columns)
  }
  return builder.build()
}

function sectionsOf(text: string): { head: Section; trees: Section[] } {
  if (!text.startsWith('tree')) throw badModel("no LightGBM model: the first line is not 'tree'")
  const head = new Map<string, string>()
  const trees: Map<string, string>[] = []
  let section = head
  let start = 0
  for (;;) {
    const newline = text.indexOf('\n', start)
    const line = text.slice(start, newline < 0 ? text.length : newline).trimEnd()
    if (line === 'end of trees') return { head, trees }
    if (newline < 0) throw badModel("the file ends before 'end of trees'")
    start = newline + 1
    const equals = line.indexOf('=')
    const key = equals < 0 ? line : line.slice(0, equals)
    if (key === 'Tree') {
      section = new Map()
      trees.push(section)
    }
    if (key !== '') section.set(key, equals < 0 ? '' : line.slice(equals + 1))
  }
}
