import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import { createRepository, fakeConfig, modelFiles, startServer } from '../repository/harness.ts'

function warmup(inputs: string, extra = 'batch_size: 1'): string {
  return fakeConfig(`instance_group [ { kind: KIND_CPU count: 2 } ]
    model_warmup [ { name: "sample" ${extra} inputs { key: "INPUT0" value { ${inputs} } } } ]`)
}

async function start(config: string, files: Record<string, string> = {}) {
  const backend = createFakeBackend()
  const { server } = await startServer({
    backend,
    repositories: [createRepository({ ...modelFiles('m', { config }), ...files })],
  })
  const [entry] = await server.index(false)
  return { server, backend, reason: entry?.reason ?? '' }
}

const ints = (data: Uint8Array | undefined) => [...new Int32Array(data?.slice().buffer ?? [])]

describe('warm-up', () => {
  it('runs every sample on every instance before the model is ready, and counts nothing', async () => {
    const { server, backend } = await start(
      warmup('data_type: TYPE_INT32 dims: [2] zero_data: true', 'batch_size: 3 count: 2'),
    )
    expect(server.modelReady('m', '')).toBe(true)
    expect(backend.instances).toHaveLength(2)
    for (const instance of backend.instances) {
      expect(instance.batches.map((batch) => batch.size)).toEqual([3, 3])
      const input = instance.batches[0]?.requests[0]?.inputs[0]
      expect(input?.shape).toEqual([1, 2])
      expect(ints(input?.data)).toEqual([0, 0])
    }
    const [statistics] = server.statistics('m')
    expect(statistics?.stats.executionCount).toBe(0)
    expect(statistics?.stats.success.count).toBe(0)
    expect(server.inflight).toBe(0)
  })

  it('may give a sequence model the inputs that its scheduler fills, which no client may', async () => {
    const input = (name: string, size: number) =>
      `inputs { key: "${name}" value { data_type: TYPE_INT32 dims: [${size}] zero_data: true } }`
    const inputs = `${input('INPUT0', 2)} ${input('START', 1)}`
    const { server, backend } = await start(
      fakeConfig(`sequence_batching { direct { } control_input [ { name: "START"
        control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] } ] } ] }
        model_warmup [ { name: "sample" batch_size: 1 ${inputs} } ]`),
    )
    expect(server.modelReady('m', '')).toBe(true)
    const names = backend.instances[0]?.batches[0]?.requests[0]?.inputs.map(({ name }) => name)
    expect(names).toEqual(['INPUT0', 'START'])
  })

  it('makes the same random data in every run', async () => {
    const config = warmup('data_type: TYPE_INT32 dims: [2] random_data: true')
    const sample = async () =>
      ints((await start(config)).backend.instances[0]?.batches[0]?.requests[0]?.inputs[0]?.data)
    const first = await sample()
    expect(first).toHaveLength(2)
    expect(first).not.toEqual([0, 0])
    expect(await sample()).toEqual(first)
  })

  it('reads data from the warmup folder', async () => {
    const config = warmup('data_type: TYPE_INT32 dims: [2] input_data_file: "data.bin"')
    const { backend } = await start(config, { 'm/warmup/data.bin': '\x01\0\0\0\x02\0\0\0rest' })
    expect(ints(backend.instances[0]?.batches[0]?.requests[0]?.inputs[0]?.data)).toEqual([1, 2])
  })

  it('fails the load when a file is missing or too short, naming it', async () => {
    const config = warmup('data_type: TYPE_INT32 dims: [2] input_data_file: "data.bin"')
    expect((await start(config)).reason).toContain('data.bin')
    expect((await start(config, { 'm/warmup/data.bin': '1234567' })).reason).toContain(
      'warmup setting expects 8 bytes, but the data provided from data.bin only has 7 bytes',
    )
  })

  it('fails the load when a dimension is left open', async () => {
    const { server, reason } = await start(
      warmup('data_type: TYPE_INT32 dims: [-1] zero_data: true'),
    )
    expect(server.modelReady('m', '')).toBe(false)
    expect(reason).toContain("variable-size dimensions are specified for input 'INPUT0'")
  })

  it('fails the load when the model fails on a sample', async () => {
    const backend = createFakeBackend({
      compute: () => new ServerError('INTERNAL', 'out of memory'),
    })
    const { server } = await startServer({
      backend,
      repositories: [
        createRepository(
          modelFiles('m', {
            config: warmup('data_type: TYPE_INT32 dims: [2] zero_data: true'),
          }),
        ),
      ],
    })
    expect((await server.index(false))[0]?.reason).toContain(
      "failed to run warmup sample 'sample': out of memory",
    )
    expect(backend.closedModels).toBe(1)
  })

  it('leaves a sample of batch size 0 out', async () => {
    const { server, backend } = await start(
      warmup('data_type: TYPE_INT32 dims: [2] zero_data: true', 'batch_size: 0'),
    )
    expect(server.modelReady('m', '')).toBe(true)
    expect(backend.instances[0]?.batches).toEqual([])
  })
})
