import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { categoryBits } from '../../../core/trees/categories.ts'
import { floatKey } from '../../../core/trees/float-key.ts'
import { ForestBuilder } from '../../../core/trees/forest-builder.ts'
import type { NodeTest, TreeNode, TreeSource } from '../../../core/trees/types.ts'
import { predict } from './cases.ts'

const FEATURES = 3
const INFINITE = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

/** A tree as it is written down: a leaf's value, or a test and what follows it. */
type Tree = number | Split
interface Split {
  readonly test: Exclude<NodeTest, 'leaf'>
  readonly feature: number
  readonly threshold: number
  readonly missingLeft: boolean
  readonly zeroMissing: boolean
  readonly truncate: boolean
  readonly categories: readonly number[]
  readonly left: Tree
  readonly right: Tree
}

const near = fc.constantFrom(0, -0, 1, -1, 2, 3.5, 0.1, -0.1, 1e-36, ...INFINITE)
const value = fc.oneof(near.map(Math.fround), fc.float(), fc.constant(Number.NaN))
const threshold = fc.oneof(near, fc.float({ noNaN: true }), fc.double({ noNaN: true }))

function trees(tests: readonly Split['test'][], zeros: boolean): fc.Arbitrary<Tree> {
  const { tree } = fc.letrec<{ tree: Tree; split: Split }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.integer({ min: -99, max: 99 }),
      tie('split'),
    ),
    split: fc.record({
      test: fc.constantFrom(...tests),
      feature: fc.nat(FEATURES - 1),
      threshold,
      missingLeft: fc.boolean(),
      zeroMissing: zeros ? fc.boolean() : fc.constant(false),
      truncate: fc.boolean(),
      categories: fc.array(fc.nat(70), { maxLength: 4 }),
      left: tie('tree'),
      right: tie('tree'),
    }),
  }))
  return tree
}

/** What the tree says of a row, in so many words. */
function said(tree: Tree, row: readonly number[]): number {
  if (typeof tree === 'number') return tree
  const x = row[tree.feature] as number
  const zero =
    tree.zeroMissing &&
    ['<', '<=', '>', '>='].includes(tree.test) &&
    Math.abs(x) <= Math.fround(1e-35)
  const left = Number.isNaN(x) || zero ? tree.missingLeft : passes(tree, x)
  return said(left ? tree.left : tree.right, row)
}

function passes({ test, threshold: t, truncate, categories }: Split, x: number): boolean {
  switch (test) {
    case '<':
      return x < t
    case '<=':
      return x <= t
    case '>':
      return x > t
    case '>=':
      return x >= t
    case '==':
      return x === t
    default:
      return (truncate || x >= 0) && categories.some((category) => category === Math.trunc(x))
  }
}

function sourceOf(tree: Tree): TreeSource {
  const list: Tree[] = []
  const places = new Map<Tree, [number, number]>()
  const add = (one: Tree): number => {
    const at = list.push(one) - 1
    if (typeof one !== 'number') places.set(one, [add(one.left), add(one.right)])
    return at
  }
  add(tree)
  return {
    nodes: list.length,
    read(index, node: TreeNode) {
      const one = list[index] as Tree
      if (typeof one === 'number') {
        node.value = one
        return
      }
      const [left, right] = places.get(one) as [number, number]
      Object.assign(node, one, { left, right, categories: categoryBits(one.categories) })
    },
  }
}

describe('any tree says of any row what it says in so many words', () => {
  const rows = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 11 })

  test.each([
    ['with comparisons', trees(['<', '<=', '>', '>='], false)],
    ['with every test there is', trees(['<', '<=', '>', '>=', '==', 'in'], true)],
  ])('%s', (_what, tree) => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 3 }), rows, (several, asked) => {
        const builder = new ForestBuilder({
          task: 'regression',
          features: FEATURES,
          outputs: 1,
          link: { name: 'identity', scale: 1 },
          base: [0],
          baseFirst: false,
          single: false,
          average: false,
        })
        for (const one of several) builder.add(sourceOf(one), 0)
        const found = predict(builder.build(), Float32Array.from(asked.flat()), asked.length)
        const wanted = asked.map((row) => [
          several.reduce((sum: number, one) => sum + said(one, row), 0),
        ])
        expect(found).toEqual(wanted)
      }),
      { numRuns: 3000 },
    )
  })
})

test('keys are in the order of the numbers, and both zeros are one', () => {
  const bits = (x: number): number => new Int32Array(Float32Array.of(x).buffer)[0] as number
  const number = fc.oneof(near.map(Math.fround), fc.float({ noNaN: true }))
  fc.assert(
    fc.property(number, number, (a, b) => {
      expect(floatKey(bits(a)) < floatKey(bits(b))).toBe(a < b)
    }),
    { numRuns: 20_000 },
  )
})
