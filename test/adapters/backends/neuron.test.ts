import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { type NeuronBackend, neuronBackend } from '../../../adapters/backends/neuron.ts'
import { onnxBackend } from '../../../adapters/backends/onnx.ts'
import type { BackendModel, Placement } from '../../../core/backend/types.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../contract/backend.ts'
import { compileStandIn, FORMER, NO_STANDIN, neff } from '../../native/neuron/standin.ts'
import { identityFiles, MAX_BATCH, neuronSource } from './neuron-fixtures.ts'
import { FIXTURES, realClock } from './onnx-fixtures.ts'

if (NO_STANDIN !== undefined) console.info(`neuron backend: skipped, ${NO_STANDIN}`)
const standIn = NO_STANDIN === undefined ? compileStandIn() : undefined
afterAll(() => standIn?.remove())

describe.skipIf(standIn === undefined)('neuron backend', () => {
  const backends: NeuronBackend[] = []
  const models: BackendModel[] = []
  afterEach(async () => {
    // The runtime ends the process if anything is left.
    for (const model of models.splice(0)) await model.close()
    for (const backend of backends.splice(0)) await backend.close?.()
    for (const name of Object.keys(process.env)) {
      if (name.startsWith('STANDIN_')) delete process.env[name]
    }
  })

  async function open(settings: Record<string, string | number> = {}): Promise<NeuronBackend> {
    for (const [name, value] of Object.entries(settings)) {
      process.env[`STANDIN_${name}`] = String(value)
    }
    const backend = await neuronBackend({
      clock: realClock,
      libraryPath: standIn?.path,
      cpu: onnxBackend({ clock: realClock }),
    })
    backends.push(backend)
    return backend
  }
  async function load(
    backend: NeuronBackend,
    files: Readonly<Record<string, Uint8Array>>,
    config?: ModelConfig,
  ): Promise<BackendModel> {
    const model = await backend.load(neuronSource(files, config))
    models.push(model)
    return model
  }
  const x = (rows: number, values: readonly number[]): Tensor => ({
    name: 'X',
    datatype: 'FP32',
    shape: [rows, values.length / rows],
    data: floats(values),
  })
  const config: ModelConfig = { max_batch_size: MAX_BATCH }
  const on = (device: number): Placement => ({ name: `g_${device}`, kind: 'KIND_GPU', device })
  const anywhere: Placement = { name: 'a_0', kind: 'KIND_MODEL', device: 0 }
  const figures = (backend: NeuronBackend, name: string): readonly (readonly unknown[])[] =>
    backend
      .families()
      .filter(({ family }) => family.name === `nereid_neuron_${name}`)
      .flatMap(({ samples }) => samples.map(({ labels, value }) => [labels['core'], value]))

  test('a model says what it takes; what differs between its files is free', async () => {
    const backend = await open()
    const one = await load(backend, identityFiles('FP32', [[8, 2]]), {})
    expect(one.io).toEqual({
      inputs: [{ name: 'X', datatype: 'FP32', shape: [8, 2] }],
      outputs: [{ name: 'Y', datatype: 'FP32', shape: [8, 2] }],
    })
    const files = identityFiles('INT64', [
      [8, 2],
      [8, 5],
    ])
    expect((await load(backend, files)).io?.inputs).toEqual([
      { name: 'X', datatype: 'INT64', shape: [-1, -1] },
    ])
  })

  test('rows that a batch lacks are zeros, not what an earlier batch left there', async () => {
    const backend = await open()
    const io = { inputs: [['X', 'FP32', [8, 2]]], outputs: [['Y', 'FP32', [8, 1]]] } as const
    const model = await load(backend, { 'model.neff': neff({ op: 'total', ...io }) })
    const instance = await model.instance(on(0), config)
    for (const rows of [1, 8, 2, 5, 1]) {
      const answer = await execute(instance, [requestOf([x(rows, Array(rows * 2).fill(1))], rows)])
      expect(outputOf(answer, 'Y').shape).toEqual([rows, 1])
      expect(floatsOf(outputOf(answer, 'Y'))).toEqual(Array(rows).fill(rows * 2))
    }
  })

  test('a batch runs in the smallest shape that it fits into', async () => {
    const backend = await open()
    const io = (rows: number) =>
      ({ inputs: [['X', 'FP32', [rows, 2]]], outputs: [['Y', 'FP32', [rows, 2]]] }) as const
    const model = await load(backend, {
      // Whoever uses the large one for a small batch gets an error.
      'model.neff/a.neff': neff({ op: 'fail 1004', ...io(8) }),
      'model.neff/b.neff': neff(io(2)),
    })
    const instance = await model.instance(on(0), config)
    for (const rows of [2, 1]) {
      const answer = await execute(instance, [requestOf([x(rows, Array(rows * 2).fill(3))], rows)])
      expect(floatsOf(outputOf(answer, 'Y'))).toEqual(Array(rows * 2).fill(3))
    }
    expect(await execute(instance, [requestOf([x(3, Array(6).fill(3))], 3)])).toMatchObject({
      message: 'neuron runtime: nrt_execute failed: 1004 (NRT_EXEC_COMPLETED_WITH_ERR)',
    })
  })

  test('what the model was not compiled for is refused with what it was compiled for', async () => {
    const backend = await open()
    const model = await load(backend, identityFiles('FP32', [[8, 2]]))
    const instance = await model.instance(on(0), config)
    expect(await execute(instance, [requestOf([x(1, [1, 2, 3])])])).toMatchObject({
      code: 'INVALID_ARG',
      message: "the model was compiled for 'X' [8,2], not for 'X' [1,3] in a batch of 1",
    })
  })

  test('groups of GPUs name cores; KIND_MODEL takes the cores with the fewest models', async () => {
    const backend = await open({ CORES: 4 })
    expect(backend.gpus).toEqual([0, 1, 2, 3])
    const named = await load(backend, identityFiles('FP32', [[8, 2]]), {
      ...config,
      instance_group: [{ kind: 'KIND_GPU', gpus: [1, 2] }],
    })
    await named.instance(on(1), config)
    await named.instance(on(2), config)
    const wide = { 'model.neff': neff({ cores: 2, inputs: [], outputs: [] }) }
    const free = await load(backend, wide, {
      max_batch_size: 0,
      instance_group: [{ kind: 'KIND_MODEL' }],
    })
    await free.instance(anywhere, { max_batch_size: 0 })
    expect(figures(backend, 'models')).toEqual([
      ['0', 1],
      ['1', 2],
      ['2', 1],
      ['3', 0],
    ])
    await expect(
      load(backend, identityFiles('FP32', [[8, 2]]), {
        ...config,
        instance_group: [{ kind: 'KIND_GPU', gpus: [7] }],
      }),
    ).rejects.toThrow("model 'm' asks for NeuronCore 7, this process has 4")
  })

  test('a model of two cores goes where two are left, and not where there is one', async () => {
    const backend = await open({ CORES: 2 })
    const busy = await load(backend, identityFiles('FP32', [[8, 2]]))
    await busy.instance(on(0), config)
    // Core 1 is less used, but the last one.
    const wide = neff({
      cores: 2,
      inputs: [['X', 'FP32', [8, 2]]],
      outputs: [['Y', 'FP32', [8, 2]]],
    })
    const model = await load(
      backend,
      { 'model.neff': wide },
      {
        ...config,
        instance_group: [{ kind: 'KIND_MODEL' }],
      },
    )
    const instance = await model.instance(anywhere, config)
    const answer = await execute(instance, [requestOf([x(1, [4, 5])])])
    expect(floatsOf(outputOf(answer, 'Y'))).toEqual([4, 5])
    expect(figures(backend, 'models')).toEqual([
      ['0', 2],
      ['1', 1],
    ])
  })

  test('instances of KIND_CPU run the ONNX file beside the NEFF', async () => {
    const onnx = readFileSync(join(FIXTURES, 'identity_fp32.onnx'))
    const files = { ...identityFiles('FP32', [[8, 2]]), 'model.onnx': onnx }
    const cpu: Placement = { name: 'c_0', kind: 'KIND_CPU', device: 0 }
    const io: ModelConfig = {
      ...config,
      input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [-1] }],
      output: [{ name: 'Y', data_type: 'TYPE_FP32', dims: [-1] }],
    }
    const backend = await open()
    const model = await load(backend, files, io)
    for (const placement of [cpu, on(0)]) {
      const instance = await model.instance(placement, io)
      const answer = await execute(instance, [requestOf([x(1, [6, 7])])])
      expect(floatsOf(outputOf(answer, 'Y'))).toEqual([6, 7])
    }
    expect(figures(backend, 'executions_total')).toEqual([
      ['0', 1],
      ['1', 0],
    ])
    const without = await load(backend, identityFiles('FP32', [[8, 2]]))
    await expect(without.instance(cpu, config)).rejects.toThrow(
      "model 'm' cannot run on a CPU (instance 'c_0' is of KIND_CPU): there is no 'model.onnx' beside its NEFF",
    )
  })

  test('without a core the choice falls on the CPU, and who insists is told what is missing', async () => {
    const onnx = readFileSync(join(FIXTURES, 'identity_fp32.onnx'))
    const backend = await open({ CORES: 0 })
    expect(backend.gpus).toEqual([])
    const files = { ...identityFiles('FP32', [[8, 2]]), 'model.onnx': onnx }
    expect((await load(backend, files)).io?.inputs).toEqual([
      { name: 'X', datatype: 'FP32', shape: [-1, -1] },
    ])
    await expect(
      load(backend, files, { ...config, instance_group: [{ kind: 'KIND_MODEL' }] }),
    ).rejects.toThrow(/^the Neuron runtime at '.*' sees no NeuronCore$/)
    await expect(load(backend, identityFiles('FP32', [[8, 2]]))).rejects.toThrow(
      /cannot run on a CPU \(there is no NeuronCore; .*\): there is no 'model\.onnx' beside its NEFF/,
    )
  })

  test('a library that is not there, and a device that somebody else has, are reasons not to load', async () => {
    const absent = await neuronBackend({ clock: realClock, libraryPath: '/nope/libnrt.so.1' })
    const asked = { ...config, instance_group: [{ kind: 'KIND_MODEL' as const }] }
    await expect(absent.load(neuronSource(identityFiles('FP32', [[8, 2]]), asked))).rejects.toThrow(
      /^failed to load the Neuron runtime from '\/nope\/libnrt\.so\.1': /,
    )
    const backend = await open({ INIT_STATUS: 4 })
    await expect(load(backend, identityFiles('FP32', [[8, 2]]))).rejects.toThrow(
      'neuron runtime: nrt_init failed: 4 (NRT_RESOURCE)',
    )
    process.env['STANDIN_INIT_STATUS'] = '0'
    await load(backend, identityFiles('FP32', [[8, 2]]))
  })

  test('a device without memory refuses the instance and keeps nothing of it', async () => {
    const backend = await open({ MEMORY: 2_000 })
    const model = await load(backend, identityFiles('FP32', [[8, 40]]))
    await expect(model.instance(on(0), config)).rejects.toThrow(
      'neuron runtime: nrt_tensor_allocate failed: 4 (NRT_RESOURCE)',
    )
    expect(figures(backend, 'memory_used_bytes')[0]).toEqual(['0', 0])
    expect(figures(backend, 'memory_limit_bytes')[0]).toEqual(['0', 2_000])
  })

  test('a core that fails for good takes its instance out of service; other failures do not', async () => {
    const backend = await open()
    const failing = (status: number) => ({
      'model.neff': neff({
        op: `fail ${status}`,
        inputs: [['X', 'FP32', [8, 2]]],
        outputs: [['Y', 'FP32', [8, 2]]],
      }),
    })
    for (const [status, code, ready] of [
      [1003, 'INTERNAL', true],
      [1005, 'UNAVAILABLE', true],
      [1202, 'INTERNAL', false],
    ] as const) {
      const instance = await (await load(backend, failing(status))).instance(on(0), config)
      expect(await execute(instance, [requestOf([x(1, [1, 2])])])).toMatchObject({ code })
      expect(instance.ready).toBe(ready)
    }
    expect(figures(backend, 'failures_total')[0]).toEqual(['0', 3])
  })

  test('what comes to a core that has failed waits before it is refused, and not for a close', async () => {
    const backend = await open()
    const file = neff({
      op: 'fail 1202',
      inputs: [['X', 'FP32', [8, 2]]],
      outputs: [['Y', 'FP32', [8, 2]]],
    })
    const instance = await (await load(backend, { 'model.neff': file })).instance(on(0), config)
    const ask = () => execute(instance, [requestOf([x(1, [1, 2])])])
    await ask()
    const refused = { code: 'UNAVAILABLE', message: "the NeuronCore of instance 'g_0' has failed" }
    let answered = false
    const second = ask().finally(() => {
      answered = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(false)
    expect(await second).toMatchObject(refused)
    const last = ask()
    await instance.close()
    expect(await last).toMatchObject(refused)
    // The device saw the first one only.
    expect(figures(backend, 'executions_total')[0]).toEqual(['0', 1])
  })

  test('what is stopped before it runs on the device does not run there', async () => {
    const backend = await open()
    const model = await load(backend, identityFiles('FP32', [[8, 2]]))
    const instance = await model.instance(on(0), config)
    const running = execute(instance, [requestOf([x(1, [1, 2])])])
    instance.terminate?.()
    expect(await running).toMatchObject({ code: 'CANCELLED' })
    expect(figures(backend, 'executions_total')[0]).toEqual(['0', 0])
    const answer = await execute(instance, [requestOf([x(1, [1, 2])])])
    expect(floatsOf(outputOf(answer, 'Y'))).toEqual([1, 2])
  })

  test('datatypes are read as older runtimes number them too', async () => {
    const backend = await open()
    for (const datatype of ['FP32', 'FP16', 'INT8', 'INT64'] as const) {
      const file = neff({
        inputs: [['X', datatype, [8, 2]]],
        outputs: [['Y', datatype, [8, 2]]],
        numbers: FORMER,
      })
      const { io } = await load(backend, { 'model.neff': file })
      expect(io?.inputs[0]?.datatype).toBe(datatype)
    }
  })

  test('the first generation of chips takes its tensors from host memory', async () => {
    const backend = await open({ FAMILY: 1 })
    const instance = await (await load(backend, identityFiles('FP32', [[8, 2]]))).instance(
      on(0),
      config,
    )
    const answer = await execute(instance, [requestOf([x(1, [1, 2])])])
    expect(floatsOf(outputOf(answer, 'Y'))).toEqual([1, 2])
  })
})
