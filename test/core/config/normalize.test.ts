import { describe, expect, test } from 'vitest'
import { normalizeConfig } from '../../../core/config/normalize.ts'
import type { InstanceGroup, ModelConfig } from '../../../core/config/types.ts'

const ORT = { name: 'onnxruntime', defaultModelFilename: 'model.onnx', defaultCpuInstances: 2 }

function normalize(config: ModelConfig, gpus: number[] = []): ModelConfig {
  return normalizeConfig(config, { modelName: 'm', backend: { ...ORT, gpus } })
}

function groups(listed: InstanceGroup[], gpus: number[] = []): InstanceGroup[] {
  return normalize({ instance_group: listed }, gpus).instance_group ?? []
}

test('an empty config becomes the one Triton shows', () => {
  expect(normalize({})).toEqual({
    name: 'm',
    backend: 'onnxruntime',
    platform: 'onnxruntime_onnx',
    default_model_filename: 'model.onnx',
    version_policy: { latest: { num_versions: 1 } },
    optimization: { input_pinned_memory: { enable: true }, output_pinned_memory: { enable: true } },
    instance_group: [{ name: 'm', kind: 'KIND_CPU', count: 2 }],
  })
})

test('what the user gave stays, and the config handed in is not changed', () => {
  const config: ModelConfig = {
    name: 'other',
    version_policy: { all: {} },
    default_model_filename: 'x.onnx',
    optimization: { input_pinned_memory: { enable: false }, eager_batching: true },
    max_batch_size: 8,
    dynamic_batching: { preferred_batch_size: [2] },
    sequence_batching: { max_sequence_idle_microseconds: 5, oldest: { preferred_batch_size: [3] } },
    instance_group: [{ name: 'g', count: 3, kind: 'KIND_MODEL' }],
  }
  const before = structuredClone(config)
  const after = normalize(config)
  expect(config).toEqual(before)
  expect(after).toMatchObject(before)
  expect(normalize(after)).toEqual(after)
})

test('preferred batch sizes default to the largest batch, and to none without batching', () => {
  const config = { dynamic_batching: {}, sequence_batching: { oldest: {} } }
  expect(normalize({ ...config, max_batch_size: 8 })).toMatchObject({
    dynamic_batching: { preferred_batch_size: [8] },
    sequence_batching: {
      oldest: { preferred_batch_size: [8] },
      max_sequence_idle_microseconds: 1_000_000,
    },
  })
  expect(normalize(config).dynamic_batching).toEqual({ preferred_batch_size: [] })
})

test('an ensemble gets no instances, no pinned memory and no backend', () => {
  const config = { platform: 'ensemble', ensemble_scheduling: { step: [] } }
  expect(normalize(config)).toEqual({
    ...config,
    name: 'm',
    version_policy: { latest: { num_versions: 1 } },
    model_transaction_policy: { decoupled: false },
  })
})

test('a backend that is no framework brings its own file name and one instance', () => {
  const backend = { name: 'identity', defaultModelFilename: '' }
  expect(normalizeConfig({ backend: 'identity' }, { modelName: 'm', backend })).toMatchObject({
    backend: 'identity',
    instance_group: [{ name: 'm', kind: 'KIND_CPU', count: 1 }],
  })
})

describe('instance groups', () => {
  test('listed groups are named by position and counted by kind', () => {
    expect(groups([{}, { name: 'mine', count: 3 }, { kind: 'KIND_MODEL' }])).toEqual([
      { name: 'm_0', kind: 'KIND_CPU', count: 2 },
      { name: 'mine', kind: 'KIND_CPU', count: 3 },
      { name: 'm_2', kind: 'KIND_MODEL', count: 1 },
    ])
  })

  test('KIND_AUTO goes to the GPUs that are there, and to the CPU where one it names is missing', () => {
    expect(groups([{}, { gpus: [1] }, { gpus: [0, 7] }], [0, 1])).toEqual([
      { name: 'm_0', kind: 'KIND_GPU', count: 1, gpus: [0, 1] },
      { name: 'm_1', kind: 'KIND_GPU', count: 1, gpus: [1] },
      { name: 'm_2', kind: 'KIND_CPU', count: 2, gpus: [0, 7] },
    ])
  })

  test('KIND_GPU without a GPU stays what was asked for, to be refused by validation', () => {
    expect(groups([{ kind: 'KIND_GPU' }])).toEqual([{ name: 'm_0', kind: 'KIND_GPU', count: 1 }])
  })
})
