import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { InferResponse, ParameterValue } from '../../../../core/infer.ts'
import { decodeInferRequest } from '../../../../core/protocol/grpc/decode-infer.ts'
import {
  encodeInferResponse,
  encodeStreamError,
  encodeStreamResponse,
} from '../../../../core/protocol/grpc/encode-infer.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import type { Datatype } from '../../../../core/tensor.ts'
import { fakeModel } from '../rest/fake-server.ts'
import {
  base64,
  failure,
  readRequest,
  readResponse,
  readStreamResponse,
  request,
  whole,
} from './schema.ts'

interface Tensor {
  name: string
  datatype: string
  shape?: string[]
}

interface Body {
  model_name: string
  model_version: string
  id?: string
  parameters?: Record<string, { bool_param?: boolean; int64_param?: string }>
  outputs?: Tensor[]
  raw_output_contents?: string[]
}

interface StreamBody {
  error_message?: string
  infer_response: Body
}

interface Recorded {
  name: string
  method: string
  request_base64?: string
  requests_base64?: string[]
  answer: { code: string; msg?: string; body?: Body | StreamBody[] }
}

const recorded: Recorded[] = JSON.parse(
  readFileSync(new URL('../../../fixtures/recorded/grpc.json', import.meta.url), 'utf8'),
)
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
const decode = (message: Uint8Array) =>
  decodeInferRequest(message, { limits: LIMITS, sharedMemory: null, owner: '' })

const unary = recorded.filter(({ method }) => method === 'ModelInfer')
const streams = recorded.filter(({ method }) => method === 'ModelStreamInfer')

/** The codec's part of what a recorded refusal says; the others are the model's. */
const REFUSED_HERE = /^(contents field must not|failed to get model version)/

function answerOf(body: Body): InferResponse {
  const parameters = new Map<string, ParameterValue>()
  for (const [key, value] of Object.entries(body.parameters ?? {})) {
    if (key === 'triton_final_response') continue
    parameters.set(key, value.bool_param ?? BigInt(value.int64_param ?? 0))
  }
  return {
    outputs: (body.outputs ?? []).map(({ name, datatype, shape }, i) => ({
      name,
      datatype: datatype as Datatype,
      shape: (shape ?? []).map(Number),
      data: bytes(body.raw_output_contents?.[i] ?? ''),
    })),
    ...(parameters.size === 0 ? {} : { parameters }),
  }
}

const encodeOptions = (body: Body) => ({
  model: { ...fakeModel({ name: body.model_name }), version: Number(body.model_version) },
  id: body.id ?? '',
  outputs: null,
  response: answerOf(body),
  lease: null,
  limits: LIMITS,
  headroom: 0,
})

describe('recorded requests of Triton’s clients', () => {
  it('are here', () => {
    expect([unary.length, streams.length]).toEqual([19, 1])
  })

  it.each(unary.map((one) => [one.name, one] as const))('%s', (_, one) => {
    const message = bytes(one.request_base64 ?? '')
    const { msg = '' } = one.answer
    if (REFUSED_HERE.test(msg)) {
      expect(failure(() => decode(message))).toBe(`INVALID_ARG: ${msg}`)
      return
    }
    const { modelName, modelVersion, options } = decode(message)
    const plain = readRequest(message) as Record<string, never>
    expect(modelName).toBe(plain['model_name'] ?? '')
    expect(modelVersion).toBe(plain['model_version'] ?? '')
    expect(options.id).toBe(plain['id'] ?? '')
    const inputs: Tensor[] = plain['inputs'] ?? []
    const tensors = options.inputs.map(({ name, datatype, shape }) => ({
      name,
      datatype,
      shape: shape.map(String),
    }))
    expect(tensors).toEqual(inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })))
    const raw: string[] | undefined = plain['raw_input_contents']
    if (raw) expect(options.inputs.map(({ data }) => base64(data))).toEqual(raw)
    // Sent again from the fields that the other reader saw, it reads the same.
    expect(decode(request(plain))).toEqual(decode(message))
  })
})

describe('recorded answers are written as Triton writes them:', () => {
  const answers = unary.filter(({ answer }) => answer.code === 'OK')

  it.each(answers.map(({ name, answer }) => [name, answer.body as Body] as const))(
    '%s',
    (_, body) => {
      expect(readResponse(whole(encodeInferResponse(encodeOptions(body))))).toEqual(body)
    },
  )

  it.each(
    streams.flatMap(({ name, answer }) =>
      (answer.body as StreamBody[]).map((body, i) => [`${name} ${i}`, body] as const),
    ),
  )('%s', (_, body) => {
    const { error_message, infer_response } = body
    const encoded =
      error_message === undefined
        ? encodeStreamResponse({ ...encodeOptions(infer_response), final: true })
        : encodeStreamError({ message: error_message, id: infer_response.id ?? '', headroom: 0 })
    expect(readStreamResponse(whole(encoded))).toEqual(body)
  })
})
