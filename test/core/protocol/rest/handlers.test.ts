import { describe, expect, it } from 'vitest'
import type { LoadOverrides } from '../../../../core/server-types.ts'
import { bodyOf, INFER, REQUEST, setUp } from './ask.ts'
import { fakeLogControl, fakeModel, fakeServer } from './fake-server.ts'

describe('GET', () => {
  it.each([
    ['/v2/health/live', 200, ''],
    ['/v2/health/ready', 200, ''],
    ['/v2/models/echo/ready', 200, ''],
    ['/v2/models/nope/ready', 400, '{"error":"Model version not ready"}'],
    [
      '/v2',
      200,
      '{"name":"triton","version":"2.51.0","extensions":["classification","binary_tensor_data"]}',
    ],
    [
      '/v2/models/echo',
      200,
      '{"name":"echo","versions":["1"],"platform":"onnxruntime_onnx","inputs":[{"name":"INPUT0","datatype":"FP32","shape":[-1,-1]}],"outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[-1,-1]}]}',
    ],
    ['/v2/models/nope', 404, '{"error":"Request for unknown model: \'nope\' is not found"}'],
    [
      '/v2/logging',
      200,
      '{"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":0,"log_format":"default"}',
    ],
    [
      '/v2/trace/setting',
      200,
      '{"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"","trace_mode":"triton"}',
    ],
    ['/v2/models/nope/trace/setting', 400, '{"error":"Request for unknown model : nope"}'],
    ['/v2/systemsharedmemory/status', 200, '[]'],
    [
      '/v2/cudasharedmemory/region/x/status',
      404,
      '{"error":"Unable to find cuda shared memory region: \'x\'"}',
    ],
    ['/v2/nope', 404, '{"error":"Not Found"}'],
    [INFER, 405, '{"error":"Method Not Allowed"}'],
  ])('%s answers %i %s', async (path, status, body) => {
    const reply = await setUp()(path)
    expect([reply.status, bodyOf(reply)]).toEqual([status, body])
  })

  it('statistics have every member of Triton, batch sizes rising', async () => {
    const model = fakeModel()
    model.stats.recordSuccess(3, 1_700_000_000_000.7, {
      requestNs: 10.4,
      queueNs: 1,
      computeInputNs: 2,
      computeInferNs: 3,
      computeOutputNs: 4,
    })
    model.stats.recordExecution(8, 1, 2, 3)
    model.stats.recordExecution(3, 1, 2, 3)
    const reply = await setUp({ server: fakeServer(model) })('/v2/models/echo/stats')
    const one = (ns: number): object => ({ count: 1, ns })
    const none = { count: 0, ns: 0 }
    const batch = (size: number): object => ({
      batch_size: size,
      compute_input: one(1),
      compute_infer: one(2),
      compute_output: one(3),
    })
    expect(JSON.parse(bodyOf(reply))).toEqual({
      model_stats: [
        {
          name: 'echo',
          version: '1',
          last_inference: 1_700_000_000_000,
          inference_count: 3,
          execution_count: 2,
          inference_stats: {
            success: one(10),
            fail: none,
            queue: one(1),
            compute_input: one(2),
            compute_infer: one(3),
            compute_output: one(4),
            cache_hit: none,
            cache_miss: none,
          },
          response_stats: {},
          batch_stats: [batch(3), batch(8)],
          memory_usage: [],
        },
      ],
    })
  })
})

describe('the repository', () => {
  it('lists what there is, with and without a body', async () => {
    const ask = setUp()
    const whole = '[{"name":"echo","version":"1","state":"READY"},{"name":"never"}]'
    expect(bodyOf(await ask('/v2/repository/index', { body: '' }))).toBe(whole)
    expect(bodyOf(await ask('/v2/repository/R/index', { body: '{}' }))).toBe(whole)
    expect(bodyOf(await ask('/v2/repository/index', { body: '{"ready":true}' }))).toBe(
      '[{"name":"echo","version":"1","state":"READY"}]',
    )
  })

  it('loads with a config and files from the body', async () => {
    const given: [string, LoadOverrides][] = []
    const server = {
      ...fakeServer(),
      load: async (name: string, o: LoadOverrides) => void given.push([name, o]),
    }
    const ask = setUp({ server })
    const body = JSON.stringify({ parameters: { config: '{}', 'file:1/model.onnx': 'AQID' } })
    expect((await ask('/v2/repository/models/m/load', { body })).status).toBe(200)
    expect((await ask('/v2/repository/models/m/load', { body: '' })).body).toEqual([])
    expect(given).toEqual([
      ['m', { config: '{}', files: new Map([['1/model.onnx', Uint8Array.of(1, 2, 3)]]) }],
      ['m', {}],
    ])
  })

  it.each([
    ['index', '{"ready":5}', 400, 'attempt to access JSON non-boolean as boolean'],
    ['index', 'x', 400, 'failed to parse the request JSON buffer: Invalid value. at 0'],
    [
      'models/m/load',
      '{"parameters":{"foo":"x"}}',
      400,
      'unexpected error on creating Triton parameter',
    ],
    [
      'models/m/load',
      '{"parameters":{"config":5}}',
      400,
      'attempt to access JSON non-string as string',
    ],
    ['models/m/load', '{"parameters":5}', 400, 'attempt to get members for non-object'],
    ['models/m/load', '{"parameters":{"file:1/x":"!"}}', 400, "'file:1/x' is not valid base64"],
    ['R/models/m/load', '', 501, "'repository_name' specification is not supported"],
    ['R/models/m/unload', '', 501, "'repository_name' specification is not supported"],
    [
      'models/m/unload',
      '{"parameters":{"unload_dependents":5}}',
      400,
      "Unable to parse 'unload_dependents': attempt to access JSON non-boolean as boolean",
    ],
  ])('refuses %s with %s', async (path, body, status, error) => {
    const reply = await setUp()(`/v2/repository/${path}`, { body })
    expect([reply.status, JSON.parse(bodyOf(reply))]).toEqual([status, { error }])
  })

  it('unloads dependents only when told to', async () => {
    const given: unknown[] = []
    const server = { ...fakeServer(), unload: async (...all: unknown[]) => void given.push(all) }
    const ask = setUp({ server })
    await ask('/v2/repository/models/m/unload', { body: '' })
    await ask('/v2/repository/models/m/unload', {
      body: '{"parameters":{"unload_dependents":true}}',
    })
    expect(given).toEqual([
      ['m', false],
      ['m', true],
    ])
  })
})

describe('logging', () => {
  it('changes what is named and answers with everything', async () => {
    const reply = await setUp()('/v2/logging', {
      body: '{"log_info":false,"log_error":null,"log_verbose_level":2,"log_format":"ISO8601","other":1}',
    })
    expect(bodyOf(reply)).toBe(
      '{"log_file":"","log_info":false,"log_warning":true,"log_error":true,"log_verbose_level":2,"log_format":"ISO8601"}',
    )
  })

  it.each([
    ['', 400, 'failed to parse the request JSON buffer: The document is empty. at 0'],
    ['{"log_file":"x"}', 501, 'log file location can not be updated through network protocol'],
    ['{"log_format":"x"}', 503, 'invalid argument for --log_format, got: x'],
    ['{"log_info":5}', 400, 'attempt to access JSON non-boolean as boolean'],
    [
      '{"log_verbose_level":-1}',
      400,
      'attempt to access JSON non-unsigned-integer as unsigned-integer',
    ],
  ])('refuses %s and changes nothing', async (body, status, error) => {
    const logControl = fakeLogControl()
    const before = { ...logControl.get() }
    const reply = await setUp({ logControl })('/v2/logging', { body })
    expect([reply.status, JSON.parse(bodyOf(reply))]).toEqual([status, { error }])
    expect(logControl.get()).toEqual(before)
  })
})

describe('an error of ours', () => {
  it('is told to the operator and not to the client', async () => {
    const seen: unknown[] = []
    const secret = new TypeError('secret')
    const server = {
      ...fakeServer(),
      ready: (): boolean => {
        throw secret
      },
    }
    const ask = setUp({ server, onInternalError: (error) => seen.push(error) })
    const reply = await ask('/v2/health/ready')
    expect([reply.status, bodyOf(reply), seen]).toEqual([
      500,
      '{"error":"internal error"}',
      [secret],
    ])
  })
})

it('one function sees every operation before it happens', async () => {
  const seen: string[] = []
  const ask = setUp({
    access: {
      authorize: ({ operation, model, caller }) => {
        seen.push(`${caller.door} ${operation} ${model}`)
        return { kind: 'forbidden', message: 'no' }
      },
    },
  })
  expect((await ask('/v2/models/echo/versions/1/infer', { body: REQUEST })).status).toBe(403)
  expect((await ask('/v2/nope')).status).toBe(404)
  expect(seen).toEqual(['http infer echo'])
})
