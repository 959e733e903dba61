import { describe, expect, it } from 'vitest'
import { CHAIN, createRig, ensembleConfig, manualModel, modelConfig, one } from './rig.ts'

describe('labels', () => {
  it('of an output are those of the step that gives it', async () => {
    const a = manualModel({
      config: modelConfig('a', ['I'], ['O']),
      labels: { O: ['cat', 'dog'] },
    })
    const { ensemble } = await createRig(ensembleConfig(['X'], ['Y'], CHAIN), [a, one('b')])
    expect(ensemble.labels('Y')).toBeUndefined()
    const direct = await createRig(ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]]), [
      a,
    ])
    expect(direct.ensemble.labels('Y')).toEqual(['cat', 'dog'])
    direct.models.delete('a')
    expect(direct.ensemble.labels('Y')).toBeUndefined()
  })

  it('of its own file come first', async () => {
    const a = manualModel({ config: modelConfig('a', ['I'], ['O']), labels: { O: ['cat'] } })
    const { ensemble } = await createRig(
      ensembleConfig(['X'], ['Y'], [['a', { I: 'X' }, { O: 'Y' }]], {
        output: [{ name: 'Y', data_type: 'TYPE_INT32', dims: [2], label_filename: 'own.txt' }],
      }),
      [a],
      { 'ens/own.txt': 'tiger\n' },
    )
    expect(ensemble.labels('Y')).toEqual(['tiger'])
  })
})
