import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { type ForestFormat, readForest } from '../../../core/trees/read-forest.ts'
import { MAX_UBJSON_DEPTH, parseUbjson } from '../../../core/trees/ubjson.ts'
import { FIXTURES, predict, type TreeCase, treeCases } from './cases.ts'

const cases = treeCases(FIXTURES)
const caseOf = (name: string): TreeCase => cases.find((one) => one.name === name) as TreeCase
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (name: string): string => new TextDecoder().decode(caseOf(name).bytes)

/** The model of a fixture, to be changed. */
// biome-ignore lint/suspicious/noExplicitAny: a document as it comes
function xgboostOf(change: (learner: any) => void): Uint8Array {
  const document = JSON.parse(textOf('xgb-binary'))
  change(document.learner)
  return bytesOf(JSON.stringify(document))
}

const refused = (format: ForestFormat, bytes: Uint8Array): string => {
  try {
    readForest(format, bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError)
    return (error as ServerError).message
  }
  return 'not refused'
}

describe('a model of XGBoost is refused', () => {
  test('in the old binary format, with the way to convert it', () => {
    expect(refused('xgboost', bytesOf('binf\u0000\u0000\u0000'))).toContain(
      "save_model('xgboost.ubj')",
    )
  })

  test.each([
    ['is no JSON', () => bytesOf('{"learner": '), 'no JSON'],
    ['has no learner', () => bytesOf('{"version": [3, 2, 0]}'), "'learner' is missing"],
    [
      'is linear',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.name = 'gblinear'
        }),
      "'gblinear' booster",
    ],
    [
      'has an objective nobody knows',
      () =>
        xgboostOf((l) => {
          l.objective.name = 'reg:mine'
        }),
      "objective 'reg:mine'",
    ],
    [
      'misses a child',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.model.trees[0].left_children[0] = 99
        }),
      'tree 0: node 99',
    ],
    [
      'goes in circles',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.model.trees[1].right_children[0] = 0
        }),
      'tree 1: node 0',
    ],
    [
      'tests a feature it has not',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.model.trees[0].split_indices[0] = 6
        }),
      'feature 6 of 6',
    ],
    [
      'has too few thresholds',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.model.trees[0].split_conditions.pop()
        }),
      "'split_conditions' has",
    ],
    [
      'adds to an output it has not',
      () =>
        xgboostOf((l) => {
          l.gradient_booster.model.tree_info[0] = 1
        }),
      'output 1 of 1',
    ],
    [
      'has more classes than anybody',
      () =>
        xgboostOf((l) => {
          l.learner_model_param.num_class = '2000000000'
        }),
      'outputs',
    ],
    [
      'has no features',
      () =>
        xgboostOf((l) => {
          l.learner_model_param.num_feature = '0'
        }),
      '0 features',
    ],
    [
      'has a base score that is none',
      () =>
        xgboostOf((l) => {
          l.learner_model_param.base_score = 'half'
        }),
      "base_score 'half'",
    ],
  ])('that %s', (_what, bytes, message) => {
    expect(refused('xgboost_json', bytes())).toContain(message)
  })
})

describe('UBJSON is refused', () => {
  test('that nests without end', () => {
    expect(() => parseUbjson(new Uint8Array(1e6).fill(0x5b))).toThrow('nested too deeply')
    expect(MAX_UBJSON_DEPTH).toBeGreaterThan(8)
  })

  test.each([
    ['a list longer than the file', [0x5b, 0x24, 0x64, 0x23, 0x6c, 0x7f, 0xff, 0xff, 0xff]],
    [
      'a list of nothing, as long as it likes',
      [0x5b, 0x24, 0x5a, 0x23, 0x6c, 0x7f, 0xff, 0xff, 0xff],
    ],
    ['a negative length', [0x53, 0x69, 0xff]],
    ['an unknown type', [0x7b, 0x69, 0x01, 0x61, 0x40]],
    ['nothing', []],
  ])('with %s', (_what, bytes) => {
    expect(() => parseUbjson(Uint8Array.from(bytes))).toThrow(ServerError)
  })

  test('but keys are only keys', () => {
    const bytes = [0x7b, 0x69, 9, ...bytesOf('__proto__'), 0x7b, 0x69, 1, 0x61, 0x54, 0x7d, 0x7d]
    const document = parseUbjson(Uint8Array.from(bytes)) as object
    expect(Object.keys(document)).toEqual(['__proto__'])
    expect(({} as { a?: boolean }).a).toBeUndefined()
  })
})

describe('a model of LightGBM is refused', () => {
  const changed = (from: string | RegExp, to: string): Uint8Array =>
    bytesOf(textOf('lgb-binary').replace(from, to))

  test.each([
    ['is something else', bytesOf('tres\n'), "the first line is not 'tree'"],
    ['ends early', changed(/end of trees.*/s, ''), "ends before 'end of trees'"],
    ['has linear leaves', changed('is_linear=0', 'is_linear=1'), 'linear trees'],
    [
      'has an objective nobody knows',
      changed('objective=binary', 'objective=mine'),
      "objective 'mine'",
    ],
    [
      'has no number where one must be',
      changed(/leaf_value=\S+/, 'leaf_value=many'),
      "'many' in 'leaf_value'",
    ],
    ['has too many leaves', changed(/num_leaves=\d+/, 'num_leaves=400000000'), "'leaf_value' has"],
    ['goes in circles', changed(/left_child=\S+/, 'left_child=0'), 'tree 0: node 0'],
    [
      'adds to two billion outputs',
      changed('num_tree_per_iteration=1', 'num_tree_per_iteration=2000000000'),
      'at a time',
    ],
  ])('that %s', (_what, bytes, message) => {
    expect(refused('lightgbm', bytes)).toContain(message)
  })
})

describe('a checkpoint of Treelite is refused', () => {
  test('of another version, with what to do', () => {
    const bytes = caseOf('tl-forest').bytes.slice()
    bytes[0] = 3
    expect(refused('treelite_checkpoint', bytes)).toContain('written by Treelite 3.')
  })

  test('that ends anywhere before its end', () => {
    const { bytes } = caseOf('tl-forest')
    for (let length = 0; length < bytes.length; length += 7) {
      expect(refused('treelite_checkpoint', bytes.subarray(0, length))).toContain('ends early')
    }
  })

  test('but it may lie anywhere in memory, also in a Buffer', () => {
    const { bytes, input, rows } = caseOf('tl-forest')
    const shifted = Buffer.alloc(bytes.length + 3).subarray(3)
    shifted.set(bytes)
    const forest = readForest('treelite_checkpoint', shifted)
    expect(predict(forest, input, rows)).toEqual(
      predict(readForest('treelite_checkpoint', bytes), input, rows),
    )
  })
})
