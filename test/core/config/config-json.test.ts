import { describe, expect, test } from 'vitest'
import { completeConfig } from '../../../core/config/autocomplete.ts'
import { configToJson } from '../../../core/config/config-json.ts'
import { configFromJson } from '../../../core/config/config-json-reader.ts'
import { normalizeConfig } from '../../../core/config/normalize.ts'
import { MAX_CONFIG_DEPTH, parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { validateConfig } from '../../../core/config/validate.ts'
import { ServerError } from '../../../core/errors.ts'
import { ANSWERS } from './texts.ts'

const FP32 = (name: string) => ({ name, datatype: 'FP32', shape: [-1, 16] }) as const
const ADD_SUB = {
  inputs: [FP32('INPUT0'), FP32('INPUT1')],
  outputs: [FP32('OUTPUT0'), FP32('OUTPUT1')],
}

describe('the config endpoint answers as Triton does', () => {
  test.each(ANSWERS)('$name', ({ name, pbtxt, config }) => {
    const python = config['backend'] === 'python'
    const options = {
      modelName: name,
      gpus: [],
      backend: {
        name: python ? 'python' : 'onnxruntime',
        defaultModelFilename: python ? 'model.py' : 'model.onnx',
        defaultCpuInstances: python ? 1 : 2,
      },
    }
    const parsed = normalizeConfig(parseConfig(pbtxt), options)
    const complete = normalizeConfig(completeConfig(parsed, ADD_SUB, options), options)
    validateConfig(complete, options)
    const json = configToJson(complete)
    expect(json).toEqual(config)
    expect(Object.keys(json)).toEqual(Object.keys(config))
    // What Triton prints can be sent back to it as an override.
    const again = configFromJson(JSON.stringify(config), { what: 'override' })
    expect(configToJson(again)).toEqual(config)
  })
})

describe('an override is read as protobuf reads JSON', () => {
  const read = (text: string) => configFromJson(text, { what: 'config override' })

  test('names in either case, enums and integers in every form, null as unset', () => {
    const config = read(`{ "maxBatchSize": "8", "backend": null, "input": [
      { "name": "a", "data_type": "type_fp32", "dims": ["-1", 16, 1e1] }, { "dataType": 13 } ],
      "dynamic_batching": { "priority_queue_policy": { "2": {} } },
      "sequence_batching": null, "metric_tags": { "__proto__": "x" } }`)
    expect(config).toEqual({
      max_batch_size: 8,
      input: [
        { name: 'a', data_type: 'TYPE_FP32', dims: [-1, 16, 10] },
        { data_type: 'TYPE_STRING' },
      ],
      dynamic_batching: { priority_queue_policy: { 2: {} } },
      metric_tags: Object.fromEntries([['__proto__', 'x']]),
    })
  })

  const cases: [text: string, message: string | RegExp][] = [
    ['', /^config override: not valid JSON: /],
    ['[]', 'config override: expected an object, found a list'],
    [
      '{"inputs":[]}',
      "config override: inputs: unknown field 'inputs' in ModelConfig; did you mean 'input'?",
    ],
    ['{"__proto__":{}}', "config override: __proto__: unknown field '__proto__' in ModelConfig"],
    ['{"input":{}}', 'config override: input: expected a list, found an object'],
    [
      '{"input":[{"dims":[1.5]}]}',
      'config override: input[0].dims[0]: expected an integer, found 1.5',
    ],
    [
      '{"input":[{"dims":["x"]}]}',
      'config override: input[0].dims[0]: expected an integer, found "x"',
    ],
    ['{"max_batch_size":1e400}', /max_batch_size: Infinity is out of range for int32/],
    ['{"max_batch_size":"9007199254740993"}', /is out of range for int32/],
    [
      '{"max_batch_size":1,"maxBatchSize":1}',
      'config override: maxBatchSize: given more than once',
    ],
    [
      '{"dynamic_batching":{},"sequence_batching":{}}',
      /cannot be given together with 'dynamic_batching'/,
    ],
    [
      '{"input":[{"data_type":"FP32"}]}',
      /input\[0\]\.data_type: expected one of TYPE_INVALID.*found "FP32"/,
    ],
    ['{"name":1}', 'config override: name: expected a string, found 1'],
    [
      '{"response_cache":{"enable":"true"}}',
      'config override: response_cache.enable: expected true or false, found "true"',
    ],
    [
      '{"dynamic_batching":{"priority_queue_policy":{"x":{}}}}',
      /priority_queue_policy\["x"\]: expected an integer/,
    ],
    [`${'['.repeat(1_000_000)}`, `config override: nested deeper than ${MAX_CONFIG_DEPTH} levels`],
    [`{"name":"${'x'.repeat(1 << 20)}"}`, /the limit is 1048576$/],
  ]
  test.each(cases)('%.60s', (text, message) => {
    let error: unknown
    try {
      read(text)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ServerError)
    if (typeof message === 'string') expect((error as Error).message).toBe(message)
    else expect((error as Error).message).toMatch(message)
  })

  test('brackets inside strings do not count as nesting', () => {
    expect(() => read(JSON.stringify({ name: '[{\\"'.repeat(100) }))).not.toThrow()
  })
})
