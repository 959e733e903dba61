import { describe, expect, it } from 'vitest'
import { MAX_INSTANCES, planInstances } from '../../../core/model/instance-group.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'

const backend = createFakeBackend({ gpus: [0, 1] })

describe('instance groups', () => {
  it('become instances named by group, number and device', () => {
    const planned = planInstances(
      {
        name: 'm',
        instance_group: [
          { name: 'm_0', kind: 'KIND_CPU', count: 2 },
          { name: 'm_1', kind: 'KIND_GPU', count: 2, gpus: [1, 3] },
          { name: 'm_2', kind: 'KIND_MODEL', count: 1 },
        ],
      },
      backend,
    )
    expect(planned.map(({ placement }) => placement)).toEqual([
      { name: 'm_0_0', kind: 'KIND_CPU', device: 0 },
      { name: 'm_0_1', kind: 'KIND_CPU', device: 0 },
      { name: 'm_1_0_gpu1', kind: 'KIND_GPU', device: 1 },
      { name: 'm_1_1_gpu1', kind: 'KIND_GPU', device: 1 },
      { name: 'm_1_0_gpu3', kind: 'KIND_GPU', device: 3 },
      { name: 'm_1_1_gpu3', kind: 'KIND_GPU', device: 3 },
      { name: 'm_2_0', kind: 'KIND_MODEL', device: 0 },
    ])
  })

  it('on GPUs without a list take every GPU, and ask for one where there is none', () => {
    const group = { name: 'g', kind: 'KIND_GPU', count: 1 } as const
    const devices = (gpus: number[]) =>
      planInstances({ name: 'm', instance_group: [group] }, createFakeBackend({ gpus })).map(
        ({ placement }) => placement.device,
      )
    expect(devices([0, 1])).toEqual([0, 1])
    expect(devices([])).toEqual([0])
  })

  it('may be passive', () => {
    const planned = planInstances(
      { name: 'm', instance_group: [{ name: 'g', kind: 'KIND_CPU', count: 1, passive: true }] },
      backend,
    )
    expect(planned.map(({ passive }) => passive)).toEqual([true])
  })

  it('end at a number of instances', () => {
    const plan = (count: number) =>
      planInstances(
        { name: 'm', instance_group: [{ name: 'g', kind: 'KIND_CPU', count }] },
        backend,
      )
    expect(plan(MAX_INSTANCES)).toHaveLength(MAX_INSTANCES)
    expect(() => plan(MAX_INSTANCES + 1)).toThrow('more than 1024 instances')
    expect(() => plan(2 ** 31)).toThrow('more than 1024 instances')
  })
})
