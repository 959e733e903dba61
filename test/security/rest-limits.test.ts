import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../core/protocol/rest/decode-request.ts'
import { encodeInferResponse } from '../../core/protocol/rest/infer-response.ts'
import { failure, fakeModel, utf8 } from '../core/protocol/rest/fake-server.ts'

const model = fakeModel()
const decode = (json: string, tail = 0) => {
  const head = utf8(json)
  const body = new Uint8Array(head.length + tail)
  body.set(head)
  return () => decodeInferRequest(body, tail === 0 ? undefined : head.length, model, LIMITS)
}
const list = (count: number, item: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => item(i)).join(',')
const input = (i: number): string => `{"name":"I${i}","datatype":"UINT8","shape":[1],"data":[1]}`
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** [what, limit, request with so many of it, what the refusal says] */
const CASES: [string, number, (n: number) => () => unknown, string][] = [
  [
    'inputs',
    LIMITS.tensors,
    (n) => decode(`{"inputs":[${list(n, input)}]}`),
    'request has 1025 inputs, the limit is 1024',
  ],
  [
    'outputs',
    LIMITS.tensors,
    (n) => decode(`{"inputs":[],"outputs":[${list(n, (i) => `{"name":"O${i}"}`)}]}`),
    'request has 1025 outputs, the limit is 1024',
  ],
  [
    'equal outputs',
    LIMITS.tensors,
    (n) => decode(`{"inputs":[],"outputs":[${list(n, () => '{"name":"O"}')}]}`),
    'request has 1025 outputs, the limit is 1024',
  ],
  [
    'parameters',
    LIMITS.parameters,
    (n) => decode(`{"inputs":[],"parameters":{${list(n, (i) => `"p${i}":1`)}}}`),
    'request has 257 parameters, the limit is 256',
  ],
  [
    'members of the request',
    LIMITS.jsonKeys,
    (n) =>
      decode(
        `{"inputs":[]${list(n, (i) => `,"k${i}":1`)
          .replaceAll(',,', ',')
          .slice(0)}}`.replace(/,"k0":1/, ''),
      ),
    'JSON object has more than 1024 members',
  ],
  [
    'members of an input',
    LIMITS.jsonKeys,
    (n) =>
      decode(
        `{"inputs":[{"name":"I","datatype":"UINT8","shape":[1],"data":[1],${list(n - 4, (i) => `"k${i}":1`)}}]}`,
      ),
    'JSON object has more than 1024 members',
  ],
  [
    'members of an unknown object',
    LIMITS.jsonKeys,
    (n) => decode(`{"inputs":[],"x":{${list(n, (i) => `"k${i}":1`)}}}`),
    'JSON object has more than 1024 members',
  ],
  [
    'dimensions',
    LIMITS.dims,
    (n) =>
      decode(
        `{"inputs":[{"name":"I","datatype":"UINT8","shape":[${list(n, () => '1')}],"data":[1]}]}`,
      ),
    "input 'I' has 33 dimensions, the limit is 32",
  ],
  [
    'bytes of the id',
    LIMITS.idBytes,
    (n) => decode(`{"inputs":[],"id":"${'x'.repeat(n)}"}`),
    'request id has 1025 bytes, the limit is 1024',
  ],
  [
    'bytes of an id in UTF-8',
    LIMITS.idBytes / 2,
    (n) => decode(`{"inputs":[],"id":"${'é'.repeat(n)}"}`),
    'request id has 1026 bytes, the limit is 1024',
  ],
  [
    'bytes of a string parameter',
    LIMITS.stringParameterBytes,
    (n) => decode(`{"inputs":[],"parameters":{"p":"${'x'.repeat(n)}"}}`),
    "parameter 'p' has 65537 bytes, the limit is 65536",
  ],
  [
    'characters of a sequence id',
    LIMITS.sequenceIdLength,
    (n) => decode(`{"inputs":[],"parameters":{"sequence_id":"${'x'.repeat(n)}"}}`),
    'string correlation ID cannot be longer than 128 characters',
  ],
  [
    'bytes of JSON before tensors',
    LIMITS.jsonHeaderBytes,
    (n) =>
      decode(
        '{"inputs":[{"name":"I","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}}]}'.padEnd(
          n,
        ),
        1,
      ),
    'request JSON size of 1048577 bytes exceeds the maximum allowed input size of 1048576 bytes. Use --http-max-json-header to increase the limit.',
  ],
  [
    'containers around a value',
    LIMITS.jsonDepth - 1,
    (n) => decode(`{"inputs":[],"x":${nested(n)}}`),
    'JSON nesting depth exceeds maximum allowed limit (100)',
  ],
  [
    'arrays around an element',
    LIMITS.jsonDepth - 1,
    (n) =>
      decode(
        `{"inputs":[{"name":"I","datatype":"UINT8","shape":[1],"data":${'['.repeat(n)}1${']'.repeat(n)}}]}`,
      ),
    'JSON nesting depth exceeds maximum allowed limit (100)',
  ],
  [
    'values kept from a document',
    LIMITS.jsonValues,
    (n) =>
      decode(
        `{"inputs":[],"parameters":${JSON.stringify({ p: 1 })},"id":[${list(n - 3, () => '1')}]}`,
      ),
    'JSON document has more than 100000 values',
  ],
]

describe.each(CASES)('%s', (what, limit, request, refusal) => {
  // These are wrong for another reason, so that the limit alone decides between the two errors.
  const otherwise = what === 'values kept from a document' ? "Unable to parse 'id'" : 'no error'

  it(`may be ${limit - 1} or ${limit} and not ${limit + 1}`, () => {
    expect(failure(request(limit - 1))).toContain(otherwise)
    expect(failure(request(limit))).toContain(otherwise)
    expect(failure(request(limit + 1))).toContain(refusal)
  })
})

describe('hundreds of thousands', () => {
  it('of outputs, keys or nested arrays are refused, not suffered', () => {
    const outputs = list(100_000, (i) => `{"name":"O${i}"}`)
    expect(failure(decode(`{"inputs":[],"outputs":[${outputs}]}`))).toMatch(
      /more than|the limit is/,
    )
    const keys = list(300_000, (i) => `"k${i}":1`)
    expect(failure(decode(`{"inputs":[],"parameters":{${keys}}}`))).toContain(
      'more than 1024 members',
    )
    for (const depth of [101, 1_000_000]) {
      for (const json of [
        nested(depth),
        `{"inputs":${nested(depth)}}`,
        `{"inputs":[{"data":${nested(depth)}}]}`,
        `{"inputs":[{"name":"I","datatype":"FP32","shape":[1],"data":${nested(depth)}}]}`,
        `{"inputs":[],"x":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`,
        '['.repeat(depth),
        '{"a":'.repeat(depth),
      ]) {
        expect(failure(decode(json))).toContain('JSON nesting depth exceeds')
      }
    }
  })
})

it('a classified output may have as many elements as the limit and no more', () => {
  const limits = { ...LIMITS, classificationElements: 10 }
  const classify = (elements: number) => () =>
    encodeInferResponse({
      model,
      id: '',
      limits,
      format: { binaryDefault: false, outputs: [{ name: 'O', binary: false, classification: 1 }] },
      response: {
        outputs: [
          { name: 'O', datatype: 'UINT8', shape: [1, elements], data: new Uint8Array(elements) },
        ],
      },
    })
  expect(failure(classify(9))).toBe('no error')
  expect(failure(classify(10))).toBe('no error')
  expect(failure(classify(11))).toBe('INVALID_ARG: classification output tensor too large')
})
