import { describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../../core/config/types.ts'
import { checkEnsemble } from '../../../core/ensemble/check.ts'
import { ensembleConfig, modelConfig, type StepSpec } from './rig.ts'

const check = (config: ModelConfig, ...models: ModelConfig[]): boolean =>
  checkEnsemble({
    config,
    composing: (name) => models.find((model) => model.name === name) ?? {},
  })
const A = modelConfig('a', ['I'], ['O'])
const ONE: readonly StepSpec[] = [['a', { I: 'X' }, { O: 'Y' }]]

describe('an ensemble is refused', () => {
  it('when a step maps an input that its model does not have', () => {
    expect(() => check(ensembleConfig(['X'], ['Y'], [['a', { N: 'X' }, { O: 'Y' }]]), A)).toThrow(
      'in ensemble ens, ensemble tensor X is mapping to non-existing input N in model a',
    )
  })

  it('when a step maps an output that its model does not have', () => {
    expect(() => check(ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { N: 'Y' }]]), A)).toThrow(
      'in ensemble ens, ensemble tensor Y is mapped from non-existing output N in model a',
    )
  })

  it('when an input of a model gets nothing, unless it is optional', () => {
    const two = modelConfig('a', ['I', 'J'], ['O'])
    expect(() => check(ensembleConfig(['X'], ['Y'], ONE), two)).toThrow(
      'in ensemble ens, input J in model a is not mapped to any ensemble tensors',
    )
    const [input, other] = two.input!
    const optional = { ...two, input: [input!, { ...other, optional: true }] }
    expect(check(ensembleConfig(['X'], ['Y'], ONE), optional)).toBe(false)
  })

  it('when datatypes differ', () => {
    const floats = modelConfig('a', ['I'], ['O'], {
      input: [{ name: 'I', data_type: 'TYPE_FP32', dims: [2] }],
    })
    expect(() => check(ensembleConfig(['X'], ['Y'], ONE), floats)).toThrow(
      'in ensemble ens, ensemble tensor X: inconsistent data type: TYPE_INT32 is inferred from model ens while TYPE_FP32 is inferred from model a',
    )
  })

  it('when shapes differ, between the ensemble and a step and between two steps', () => {
    const wide = modelConfig('b', ['I'], ['O'], {
      input: [{ name: 'I', data_type: 'TYPE_INT32', dims: [3] }],
      max_batch_size: 0,
    })
    const steps: StepSpec[] = [
      ['a', { I: 'X' }, { O: 't' }],
      ['b', { I: 't' }, { O: 'Y' }],
    ]
    expect(() => check(ensembleConfig(['X'], ['Y'], steps), A, wide)).toThrow(
      'in ensemble ens, ensemble tensor t: inconsistent shape: [-1,2] is inferred from model a while [3] is inferred from model b',
    )
    const narrow = modelConfig('a', ['I'], ['O'], {
      output: [{ name: 'O', data_type: 'TYPE_INT32', dims: [1] }],
    })
    expect(() => check(ensembleConfig(['X'], ['Y'], ONE), narrow)).toThrow(
      'in ensemble ens, ensemble tensor Y: inconsistent shape: [-1,2] is inferred from model ens while [-1,1] is inferred from model a',
    )
  })

  it('when it batches more than a step does', () => {
    const small = modelConfig('a', ['I'], ['O'], { max_batch_size: 4 })
    expect(() => check(ensembleConfig(['X'], ['Y'], ONE), small)).toThrow(
      'ensemble ens allows maximum batch size 8, but it contains model a which only allows maximum batch size to be 4',
    )
  })
})

describe('shapes agree', () => {
  it('where one side leaves a dimension free', () => {
    const free = modelConfig('a', ['I'], ['O'], {
      input: [{ name: 'I', data_type: 'TYPE_INT32', dims: [-1] }],
    })
    expect(check(ensembleConfig(['X'], ['Y'], ONE), free)).toBe(false)
  })

  it('where a model without batching takes the batch as a whole', () => {
    const whole = modelConfig('a', ['I'], ['O'], {
      max_batch_size: 0,
      input: [{ name: 'I', data_type: 'TYPE_INT32', dims: [-1, 2] }],
      output: [{ name: 'O', data_type: 'TYPE_INT32', dims: [-1, 2] }],
    })
    expect(check(ensembleConfig(['X'], ['Y'], ONE), whole)).toBe(false)
  })

  it('where the ensemble reshapes what it takes', () => {
    const config = ensembleConfig(['X'], ['Y'], ONE, {
      input: [{ name: 'X', data_type: 'TYPE_INT32', dims: [1, 2], reshape: { shape: [2] } }],
    })
    expect(check(config, A)).toBe(false)
  })
})
