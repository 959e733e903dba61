import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ParameterValue } from '../../../../core/infer.ts'
import { decodeInferRequest } from '../../../../core/protocol/grpc/decode-infer.ts'
import { encodeInferResponse } from '../../../../core/protocol/grpc/encode-infer.ts'
import { parseInferMessage, Uint64Parameter } from '../../../../core/protocol/grpc/infer-message.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import type { Datatype } from '../../../../core/tensor.ts'
import { fakeModel, utf8 } from '../rest/fake-server.ts'
import { base64, contents, field, readRequest, readResponse, request, whole } from './schema.ts'

const SEED = 20261121
const RUNS = { seed: SEED, numRuns: 500 }

// protobufjs writes half a surrogate pair otherwise, and leaves a key called __proto__ out.
const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const key = text.filter((one) => one !== '__proto__')
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const double = fc.double({ noNaN: true })
const data = fc.uint8Array({ maxLength: 300 })
const dims = fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { maxLength: 5 })

const value = fc.oneof(
  fc.boolean().map((one) => ({ bool_param: one })),
  int64.map((one) => ({ int64_param: String(one) })),
  text.map((one) => ({ string_param: one })),
  double.map((one) => ({ double_param: one })),
  uint64.map((one) => ({ uint64_param: String(one) })),
)
const parameters = fc.dictionary(key, value, { maxKeys: 4 })
const message = fc.record({
  model_name: text,
  model_version: text,
  id: text,
  parameters,
  inputs: fc.array(
    fc.record({ name: text, datatype: text, shape: fc.array(int64.map(String)), parameters }),
    { maxLength: 4 },
  ),
  outputs: fc.array(fc.record({ name: text, parameters }), { maxLength: 4 }),
  raw_input_contents: fc.array(data, { maxLength: 4 }),
})

/** The parameters that protobufjs wrote, as they are read here. */
function expected(given: Record<string, Record<string, unknown>>): Map<string, unknown> | null {
  const entries = Object.entries(given).map(([name, choice]) => {
    const [[kind, one]] = Object.entries(choice) as [[string, unknown]]
    if (kind === 'int64_param') return [name, BigInt(one as string)] as const
    if (kind === 'uint64_param') return [name, new Uint64Parameter(BigInt(one as string))] as const
    return [name, one] as const
  })
  return entries.length === 0 ? null : new Map(entries)
}

describe(`messages at random (seed ${SEED})`, () => {
  it('are read as protobufjs wrote them', () => {
    fc.assert(
      fc.property(message, (fields) => {
        const read = parseInferMessage(request(fields), LIMITS)
        expect(read).toMatchObject({
          modelName: fields.model_name,
          modelVersion: fields.model_version,
          id: fields.id,
          raw: fields.raw_input_contents,
          problem: null,
        })
        expect(read.parameters).toEqual(expected(fields.parameters))
        expect(read.inputs).toEqual(
          fields.inputs.map((one) => ({
            name: one.name,
            datatype: one.datatype,
            shape: one.shape.map(Number),
            parameters: expected(one.parameters),
            contents: null,
          })),
        )
        expect(read.outputs).toEqual(
          fields.outputs.map((one) => ({ name: one.name, parameters: expected(one.parameters) })),
        )
      }),
      RUNS,
    )
  })

  it('mean the same in any order of their fields, with unknown ones between', () => {
    fc.assert(
      fc.property(message, fc.array(fc.nat(100), { maxLength: 30 }), (fields, order) => {
        const pieces = Object.entries(fields).map(([name, one]) => request({ [name]: one }))
        for (const at of order) pieces.push(...pieces.splice(at % pieces.length, 1))
        const unknown = new Uint8Array([0xa2, 6, 1, 7])
        const shuffled = new Uint8Array(Buffer.concat(pieces.flatMap((piece) => [piece, unknown])))
        expect(parseInferMessage(shuffled, LIMITS)).toEqual(
          parseInferMessage(request(fields), LIMITS),
        )
      }),
      RUNS,
    )
  })

  const typed = fc.oneof(
    of('BOOL', 'bool_contents', fc.boolean(), (v) => new Uint8Array([v ? 1 : 0])),
    of('INT8', 'int_contents', fc.integer({ min: -128, max: 127 }), (v) => Int8Array.of(v)),
    of('INT16', 'int_contents', fc.integer({ min: -32768, max: 32767 }), (v) => Int16Array.of(v)),
    of('INT32', 'int_contents', fc.integer(), (v) => Int32Array.of(v)),
    of('INT64', 'int64_contents', int64.map(String), (v) => BigInt64Array.of(BigInt(v))),
    of('UINT8', 'uint_contents', fc.nat(255), (v) => Uint8Array.of(v)),
    of('UINT16', 'uint_contents', fc.nat(65_535), (v) => Uint16Array.of(v)),
    of('UINT32', 'uint_contents', fc.nat(2 ** 32 - 1), (v) => Uint32Array.of(v)),
    of('UINT64', 'uint64_contents', uint64.map(String), (v) => BigUint64Array.of(BigInt(v))),
    of('FP32', 'fp32_contents', fc.float({ noNaN: true }), (v) => Float32Array.of(v)),
    of('FP64', 'fp64_contents', double, (v) => Float64Array.of(v)),
    of('BYTES', 'bytes_contents', data, (v) =>
      Buffer.concat([new Uint8Array(Uint32Array.of(v.length).buffer), v]),
    ),
  )

  it('give values as the bytes that typed arrays have, in one piece or in many', () => {
    fc.assert(
      fc.property(typed, fc.boolean(), ({ datatype, name, values, bytes }, split) => {
        const input = { name: 'A', datatype, shape: [values.length] }
        const one = (some: unknown[]): Uint8Array =>
          request({ inputs: [{ ...input, contents: { [name]: some } }] })
        const read = (some: Uint8Array) =>
          decodeInferRequest(some, { limits: LIMITS, sharedMemory: null, owner: '' }).options
            .inputs[0]?.data
        expect([...(read(one(values)) ?? [])]).toEqual([...bytes])
        if (!split || values.length === 0 || values.length > 16) return
        const pieces = values.map((v) => field(5, contents({ [name]: [v] })))
        const parts = [field(1, utf8('A')), field(2, utf8(datatype)), ...pieces]
        expect(read(field(5, new Uint8Array(Buffer.concat(parts))))).toEqual(new Uint8Array(bytes))
      }),
      RUNS,
    )
  })

  it('are written as protobufjs reads them', () => {
    const tensor = fc.record({
      name: text,
      datatype: fc.constantFrom<Datatype>('FP32', 'BYTES', 'BOOL'),
      shape: dims,
      data,
    })
    const written = fc.dictionary(
      key,
      fc.oneof(fc.boolean(), int64, text, double) as fc.Arbitrary<ParameterValue>,
      { maxKeys: 4 },
    )
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(tensor, { maxLength: 5 }),
        written,
        (name, id, outputs, given) => {
          const response = { outputs, parameters: new Map(Object.entries(given)) }
          const model = fakeModel({ name })
          const encoded = encodeInferResponse({
            model,
            id,
            outputs: null,
            response,
            lease: null,
            limits: LIMITS,
            headroom: 0,
          })
          const read = readResponse(whole(encoded))
          expect(read['model_name'] ?? '').toBe(name)
          expect(read['id'] ?? '').toBe(id)
          expect(read['outputs'] ?? []).toEqual(
            outputs.map((o) => ({
              ...(o.name === '' ? {} : { name: o.name }),
              datatype: o.datatype,
              ...(o.shape.length === 0 ? {} : { shape: o.shape.map(String) }),
            })),
          )
          expect(read['raw_output_contents'] ?? []).toEqual(outputs.map((o) => base64(o.data)))
          const asRequest = readRequest(request({ parameters: read['parameters'] ?? {} }))
          const back = parseInferMessage(request(asRequest), LIMITS).parameters ?? new Map()
          expect(back).toEqual(response.parameters)
        },
      ),
      RUNS,
    )
  })
})

function of<T>(
  datatype: Datatype,
  name: string,
  arbitrary: fc.Arbitrary<T>,
  bytesOf: (value: T) => ArrayBufferView,
) {
  return fc.array(arbitrary, { maxLength: 40 }).map((values) => ({
    datatype,
    name,
    values: values as unknown[],
    bytes: Buffer.concat(
      values.map((one) => {
        const { buffer, byteOffset, byteLength } = bytesOf(one)
        return new Uint8Array(buffer, byteOffset, byteLength)
      }),
    ),
  }))
}
