import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import type { InferRequest } from '../../../../core/infer.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { createRestHandler } from '../../../../core/protocol/rest/handlers.ts'
import type { ServedModel } from '../../../../core/server-types.ts'
import { bodyOf, INFER, REQUEST, setUp } from './ask.ts'
import { fakeLogControl, fakeModel, fakeServer, utf8 } from './fake-server.ts'

const ANSWER =
  '{"model_name":"echo","model_version":"1","outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,2],"data":[1.0,2.5]}]}'

describe('infer', () => {
  it('answers JSON with JSON', async () => {
    const reply = await setUp()(INFER, { body: REQUEST })
    expect([reply.status, reply.headers, bodyOf(reply)]).toEqual([
      200,
      { 'Content-Type': 'application/json' },
      ANSWER,
    ])
  })

  it('says how long the JSON is when tensors follow it', async () => {
    const reply = await setUp()(INFER, {
      body: Uint8Array.of(0, 0, 128, 63),
      headers: { 'inference-header-content-length': '0' },
    })
    expect(reply.headers).toEqual({
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': String(reply.body[0]?.length),
    })
    expect(reply.body[1]).toEqual(Uint8Array.of(0, 0, 128, 63))
  })

  it('takes and gives packed bodies; the header length counts unpacked bytes', async () => {
    const head = JSON.stringify({
      inputs: [
        { name: 'INPUT0', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 } },
      ],
      parameters: { binary_data_output: true },
    })
    const reply = await setUp()(INFER, {
      body: gzipSync(new Uint8Array([...utf8(head), 0, 0, 128, 63])),
      headers: {
        'content-encoding': 'gzip',
        'accept-encoding': 'gzip',
        'inference-header-content-length': String(head.length),
      },
    })
    expect(reply.headers['Content-Encoding']).toBe('gzip')
    const whole = gunzipSync(reply.body[0] as Uint8Array)
    const length = Number(reply.headers['Inference-Header-Content-Length'])
    expect(JSON.parse(whole.subarray(0, length).toString()).outputs).toHaveLength(1)
    expect([...whole.subarray(length)]).toEqual([0, 0, 128, 63])
  })

  it('runs on the model that serves when the body is there, not when the request began', async () => {
    const taken: string[] = []
    const model = (mark: string): ServedModel => {
      const one = fakeModel()
      const submit = one.submit.bind(one)
      return {
        ...one,
        submit(request) {
          taken.push(mark)
          submit(request)
        },
      }
    }
    let serving = model('old')
    const server = { ...fakeServer(serving), model: () => serving }
    const handle = createRestHandler({
      server,
      logControl: fakeLogControl(),
      limits: DEFAULT_PROTOCOL_LIMITS,
    })
    const reply = await handle({
      method: 'POST',
      path: INFER,
      header: () => undefined,
      async body() {
        serving = model('new')
        return utf8(REQUEST)
      },
    })
    expect([reply.status, taken]).toEqual([200, ['new']])
  })

  it('refuses other packings and says which there are', async () => {
    const reply = await setUp()(INFER, { body: REQUEST, headers: { 'content-encoding': 'br' } })
    expect([reply.status, reply.headers['Accept-Encoding'], bodyOf(reply)]).toEqual([
      501,
      'gzip, deflate',
      '{"error":"Unsupported compression type"}',
    ])
  })

  it.each([
    ['abc', 'Unable to parse Inference-Header-Content-Length, got: abc'],
    ['', 'Unable to parse Inference-Header-Content-Length, got: '],
    ['9e99', 'Unable to parse Inference-Header-Content-Length, got: 9e99'],
    ['0x10', 'Unable to parse Inference-Header-Content-Length, got: 0x10'],
    ['-1', `inference header size should be in range (0, ${REQUEST.length}), got: -1`],
    ['99999', `inference header size should be in range (0, ${REQUEST.length}), got: 99999`],
  ])('refuses a header length of %j', async (length, error) => {
    const headers = { 'inference-header-content-length': length }
    const reply = await setUp()(INFER, { body: REQUEST, headers })
    expect([reply.status, JSON.parse(bodyOf(reply))]).toEqual([400, { error }])
  })

  it('has no answer for decoupled models', async () => {
    const server = fakeServer(fakeModel({ decoupled: true }))
    const reply = await setUp({ server })(INFER, { body: REQUEST })
    expect([reply.status, JSON.parse(bodyOf(reply))]).toEqual([
      501,
      { error: "HTTP end point doesn't support models with decoupled transaction policy" },
    ])
  })

  it.each([
    [0, 'expected a single response, got 0'],
    [2, 'expected a single response, got 2'],
  ])('of a model that gives %i responses is an error', async (count, error) => {
    let released = 0
    const submit = (request: InferRequest): void => {
      for (let i = 0; i < count; i++)
        request.respond({ outputs: [], release: () => released++ }, false)
      request.respond(null)
    }
    const reply = await setUp({ server: fakeServer(fakeModel({ submit })) })(INFER, {
      body: REQUEST,
    })
    expect([reply.status, JSON.parse(bodyOf(reply)), released]).toEqual([500, { error }, count])
  })

  it.each([
    ['UNAVAILABLE', 503],
    ['INVALID_ARG', 400],
    ['NOT_FOUND', 404],
    ['UNSUPPORTED', 501],
    ['INTERNAL', 500],
    ['CANCELLED', 400],
    ['ALREADY_EXISTS', 400],
    ['UNKNOWN', 400],
  ] as const)('answers a model error %s with %i', async (code, status) => {
    const submit = (request: InferRequest): void => request.respond(new ServerError(code, 'why'))
    const reply = await setUp({ server: fakeServer(fakeModel({ submit })) })(INFER, {
      body: REQUEST,
    })
    expect([reply.status, bodyOf(reply)]).toEqual([status, '{"error":"why"}'])
  })

  it('is cancelled when the client leaves', async () => {
    const leave = new AbortController()
    let cancelled = false
    const submit = (request: InferRequest): void => {
      request.onCancel = () => {
        cancelled = true
        request.respond(new ServerError('CANCELLED', 'cancelled'))
      }
      leave.abort()
    }
    const ask = setUp({ server: fakeServer(fakeModel({ submit })) })
    expect((await ask(INFER, { body: REQUEST, signal: leave.signal })).status).toBe(400)
    expect(cancelled).toBe(true)
  })

  it('of a client that already left never waits', async () => {
    const submit = (request: InferRequest): void => {
      expect(request.cancelled).toBe(true)
      request.respond(new ServerError('CANCELLED', 'cancelled'))
    }
    const ask = setUp({ server: fakeServer(fakeModel({ submit })) })
    expect((await ask(INFER, { body: REQUEST, signal: AbortSignal.abort() })).status).toBe(400)
  })

  it('gives the outputs back when they cannot be written', async () => {
    let released = 0
    const submit = (request: InferRequest): void =>
      request.respond({
        outputs: [{ name: 'OUTPUT0', datatype: 'FP16', shape: [1], data: new Uint8Array(2) }],
        release: () => released++,
      })
    const reply = await setUp({ server: fakeServer(fakeModel({ submit })) })(INFER, {
      body: REQUEST,
    })
    expect([reply.status, released]).toEqual([400, 1])
  })
})
