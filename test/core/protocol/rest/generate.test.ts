import { describe, expect, test } from 'vitest'
import { packBytes } from '../../../../core/bytes.ts'
import { ServerError } from '../../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../../core/infer.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import type { ServedModel } from '../../../../core/server-types.ts'
import type { Datatype, Tensor } from '../../../../core/tensor.ts'
import { bodyOf, setUp } from './ask.ts'
import { type FakeModelOptions, fakeModel, fakeServer, utf8 } from './fake-server.ts'

const GENERATE = '/v2/models/m/generate'
const STREAM = '/v2/models/m/generate_stream'

const input = (name: string, datatype: Datatype, shape: readonly number[]) => ({
  name,
  datatype,
  shape,
})

/** A model of the given inputs, and the last request it got. */
function model(options: FakeModelOptions): { served: ServedModel; seen: () => InferRequest } {
  let last: InferRequest | undefined
  const served = fakeModel({ name: 'm', ...options })
  const { submit } = served
  return {
    served: {
      ...served,
      submit(request) {
        last = request
        submit(request)
      },
    },
    seen: () => last as InferRequest,
  }
}

const ask = (served: ServedModel, body: string, path = GENERATE, headers = {}) =>
  setUp({ server: fakeServer(served) })(path, { body, headers, method: 'POST' })

/** Status and body of a `generate` that a model with these inputs echoes. */
async function echoed(inputs: FakeModelOptions['inputs'], body: string): Promise<[number, string]> {
  const { served } = model({ inputs: inputs ?? [], outputs: inputs ?? [] })
  const reply = await ask(served, body)
  return [reply.status, bodyOf(reply)]
}

const tail = '"model_name":"m","model_version":"1"}'

describe('what becomes of the body', () => {
  test.each<[string, ReturnType<typeof input>[], string, string]>([
    ['a scalar', [input('A', 'INT32', [-1])], '{"A":5}', `{"A":5,${tail}`],
    ['a list of one', [input('A', 'INT32', [-1])], '{"A":[5]}', `{"A":5,${tail}`],
    ['a list', [input('A', 'INT32', [-1])], '{"A":[5, 6]}', `{"A":[5,6],${tail}`],
    ['an empty list', [input('A', 'INT32', [-1])], '{"A":[]}', `{"A":[],${tail}`],
    ['a string', [input('A', 'BYTES', [-1, 1])], '{"A":"é\\n\\""}', `{"A":"é\\n\\"",${tail}`],
    ['strings', [input('A', 'BYTES', [-1])], '{"A":["x",""]}', `{"A":["x",""],${tail}`],
    ['booleans', [input('A', 'BOOL', [-1])], '{"A":[true,false]}', `{"A":[true,false],${tail}`],
    [
      'a long',
      [input('A', 'INT64', [1])],
      '{"A":9007199254740993}',
      `{"A":9007199254740993,${tail}`,
    ],
    ['fractions', [input('A', 'FP32', [-1])], '{"A":[1,2.5]}', `{"A":[1.0,2.5],${tail}`],
    ['NaN', [input('A', 'FP32', [-1])], '{"A":NaN}', `{"A":NaN,${tail}`],
    [
      'names in alphabetical order',
      [input('z', 'INT8', [1]), input('b', 'INT8', [1]), input('Z', 'INT8', [1])],
      '{"z":1,"b":2,"Z":3,"id":"i"}',
      '{"Z":3,"b":2,"id":"i","model_name":"m","model_version":"1","z":1}',
    ],
    [
      'an input inside parameters',
      [input('A', 'FP32', [-1])],
      '{"parameters":{"A":[1e10]}}',
      `{"A":10000000000.0,${tail}`,
    ],
  ])('%s', async (_, inputs, body, expected) => {
    expect(await echoed(inputs, body)).toEqual([200, expected])
  })

  test.each<[readonly number[], number, readonly number[] | null]>([
    [[-1, 16], 16, [1, 16]],
    [[-1, 16], 32, [2, 16]],
    [[-1, 16], 15, null],
    [[-1, -1], 3, [1, 3]],
    [[-1, -1, 2], 6, [1, 3, 2]],
    [[4], 4, [4]],
    [[4], 8, null],
    [[], 1, []],
    [[0, -1], 1, null],
  ])('an input of shape %j takes %i elements as %j', async (shape, count, expected) => {
    const { served, seen } = model({ inputs: [input('A', 'INT8', shape)] })
    const reply = await ask(served, JSON.stringify({ A: new Array(count).fill(1) }))
    if (expected !== null) expect(seen().inputs[0]?.shape).toEqual(expected)
    else {
      expect([reply.status, bodyOf(reply)]).toEqual([
        400,
        `{"error":"The schema can not convert input 'A' to tensor with proper shape"}`,
      ])
    }
  })

  test('everything that is no input is a parameter of its own type', async () => {
    const { served, seen } = model({ inputs: [] })
    await ask(
      served,
      '{"a":1,"b":true,"c":"x","d":0.5,"parameters":{"e":2,"parameters":3},"id":"i"}',
    )
    expect([...(seen().parameters ?? [])]).toEqual([
      ['a', 1n],
      ['b', true],
      ['c', 'x'],
      ['d', 0.5],
      ['e', 2n],
      ['parameters', 3n],
    ])
    expect(seen().id).toBe('i')
  })
})

describe('errors before the model runs', () => {
  const A = [input('A', 'INT32', [-1])]
  const S = [input('A', 'BYTES', [-1])]
  test.each<[string, ReturnType<typeof input>[], string]>([
    ['', A, 'failed to parse the request JSON buffer: The document is empty. at 0'],
    ['[]', A, 'attempt to get members for non-object'],
    ['5', A, 'attempt to get members for non-object'],
    [
      '{"A":"a"',
      S,
      "failed to parse the request JSON buffer: Missing a comma or '}' after an object member. at 8",
    ],
    [
      '{"A":1} x',
      A,
      'failed to parse the request JSON buffer: The document root must not be followed by other values. at 8',
    ],
    ['{"id":5}', A, "Unable to parse 'id': attempt to access JSON non-string as string"],
    [
      '{"A":["x"]}',
      A,
      "Unable to parse 'data': attempt to access JSON non-signed-integer as signed-integer",
    ],
    [
      '{"A":1.5}',
      A,
      "Unable to parse 'data': attempt to access JSON non-signed-integer as signed-integer",
    ],
    [
      '{"A":[[1,2],3]}',
      A,
      "Unable to parse 'data': Shape does not match true shape of 'data' field",
    ],
    ['{"A":5}', S, 'Unable to parse JSON bytes array: attempt to access JSON non-string as string'],
    [
      '{"A":[1]}',
      [input('A', 'FP16', [-1])],
      'receiving FP16 data via JSON is not supported. Please use the binary data format for input A',
    ],
    [
      '{"parameters":5}',
      A,
      "Expected JSON object for keyword: 'parameters': attempt to access JSON non-object as object",
    ],
    [
      '{"parameters":{"a":[1]}}',
      A,
      "Converting keyword: 'parameters': parameter 'a' has invalid type. It should be either 'int', 'bool', or 'string'.",
    ],
    [
      '{"a":null}',
      A,
      "parameter 'a' has invalid type. It should be either 'int', 'bool', or 'string'.",
    ],
    [
      '{"parameters":{}}',
      [input('parameters', 'INT32', [1])],
      "Keyword 'parameters' for nested schema also given as input tensor name",
    ],
  ])('%s', async (body, inputs, expected) => {
    for (const path of [GENERATE, STREAM]) {
      const reply = await ask(model({ inputs }).served, body, path)
      expect(reply.headers['Content-Type']).toBe('application/json')
      expect([reply.status, JSON.parse(bodyOf(reply))]).toEqual([400, { error: expected }])
    }
  })

  test('an unknown model is 404, and a packed body is refused', async () => {
    const served = model({}).served
    const handle = setUp({ server: fakeServer(served) })
    expect((await handle('/v2/models/nope/generate', { body: '{}' })).status).toBe(404)
    const reply = await ask(served, '{}', GENERATE, { 'content-encoding': 'gzip' })
    expect([reply.status, bodyOf(reply)]).toEqual([
      400,
      `{"error":"Unsupported content-encoding, only 'identity' is supported."}`,
    ])
  })

  test('inputs may have no more bytes than a body', async () => {
    const limits = { ...DEFAULT_PROTOCOL_LIMITS, bodyBytes: 10 }
    const handle = setUp({ server: fakeServer(model({ inputs: A }).served), limits })
    const reply = await handle(GENERATE, { body: '{"A":[1,2,3]}' })
    expect(bodyOf(reply)).toContain('exceeds the maximum allowed input size of 10 bytes')
  })
})

describe('what the model answers', () => {
  const one = (name: string, value: number): Tensor => ({
    name,
    datatype: 'INT8',
    shape: [1],
    data: Uint8Array.of(value),
  })
  const response = (value: number): InferResponse => ({ outputs: [one('OUT', value)] })
  /** A decoupled model that gives these answers, the last one with the final flag. */
  const answering = (...answers: (InferResponse | ServerError | null)[]) =>
    model({
      decoupled: true,
      submit(request) {
        for (const [i, answer] of answers.entries()) {
          request.respond(answer, i === answers.length - 1)
        }
      },
    }).served
  const no = new ServerError('INTERNAL', 'no')
  const busy = new ServerError('UNAVAILABLE', 'Exceeds maximum queue size')
  const ONE =
    '{"error":"generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses"}'
  const OUT = (value: number) => `{"OUT":${value},${tail}`

  test.each<[string, (InferResponse | ServerError | null)[], number, string]>([
    ['one response', [response(1)], 200, OUT(1)],
    ['one response and an empty end', [response(1), null], 200, OUT(1)],
    ['none', [null], 200, ONE],
    ['two', [response(1), response(2)], 200, ONE],
    ['an error', [no], 500, '{"error":"no"}'],
    ['an error after a response', [response(1), no], 200, ONE],
    ['a response after an error', [no, response(1)], 500, ONE],
  ])('generate, %s', async (_, answers, status, body) => {
    const reply = await ask(answering(...answers), '{}')
    expect([reply.status, bodyOf(reply)]).toEqual([status, body])
  })

  test.each<[string, (InferResponse | ServerError | null)[], number, string]>([
    ['one response', [response(1)], 200, `data: ${OUT(1)}\n\n`],
    ['none', [null], 200, ''],
    [
      'several and an empty end',
      [response(1), response(2), null],
      200,
      `data: ${OUT(1)}\n\ndata: ${OUT(2)}\n\n`,
    ],
    ['an error at first', [no], 500, 'data: {"error":"no"}\n\n'],
    [
      'an error later',
      [response(1), no, response(2)],
      200,
      `data: ${OUT(1)}\n\ndata: {"error":"no"}\n\ndata: ${OUT(2)}\n\n`,
    ],
    [
      'a tensor that is no JSON',
      [{ outputs: [{ name: 'O', datatype: 'FP16', shape: [1], data: new Uint8Array(2) }] }],
      400,
      'data: {"error":"sending FP16 data via JSON is not supported. Please use the binary data format for output"}\n\n',
    ],
  ])('generate_stream, %s', async (_, answers, status, body) => {
    const reply = await ask(answering(...answers), '{}', STREAM)
    expect(reply.headers['Content-Type']).toBe('text/event-stream; charset=utf-8')
    expect([reply.status, await new Response(reply.stream).text()]).toEqual([status, body])
  })

  test('what cannot be queued is no stream but an answer', async () => {
    const reply = await ask(answering(busy), '{}', STREAM)
    expect([reply.status, bodyOf(reply), reply.stream]).toEqual([
      503,
      '{"error":"Exceeds maximum queue size"}',
      undefined,
    ])
  })

  test('parameters of a response stand among its outputs; the model itself counts first', async () => {
    const given: InferResponse = {
      outputs: [one('b', 1), one('model_name', 2), one('a', 3)],
      parameters: new Map<string, string | boolean | bigint>([
        ['a', 'x'],
        ['c', true],
        ['d', 7n],
      ]),
    }
    const reply = await ask(answering(given), '{"id":"i"}')
    expect(bodyOf(reply)).toBe(
      '{"a":"x","b":1,"c":true,"d":7,"id":"i","model_name":"m","model_version":"1"}',
    )
  })

  test('memory of responses is given back once they are written', async () => {
    for (const path of [GENERATE, STREAM]) {
      let released = 0
      const given = () => ({ ...response(1), release: () => void released++ })
      const reply = await ask(answering(given(), given(), given()), '{}', path)
      if (reply.stream !== undefined) await new Response(reply.stream).text()
      expect(released).toBe(3)
    }
  })

  test('a line break in a string does not end its event', async () => {
    const data = packBytes([utf8('a\n\nb\r')])
    const text: Tensor = { name: 'T', datatype: 'BYTES', shape: [1], data }
    const reply = await ask(answering({ outputs: [text] }), '{}', STREAM)
    expect(await new Response(reply.stream).text()).toBe(`data: {"T":"a\\n\\nb\\r",${tail}\n\n`)
  })
})
