import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packBytes } from '../../../../core/bytes.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { JsonReader } from '../../../../core/protocol/rest/json-reader.ts'
import { readTensorData, scalarSink } from '../../../../core/protocol/rest/json-tensor.ts'
import type { Datatype } from '../../../../core/tensor.ts'
import { failure, utf8 } from './fake-server.ts'

function read(datatype: Datatype, json: string, count: number): Uint8Array | string {
  const reader = new JsonReader(utf8(json), DEFAULT_PROTOCOL_LIMITS)
  const sink = scalarSink(datatype, count, json.length)
  readTensorData(reader, sink)
  const data = sink.finish()
  return sink.error ?? data
}
const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice()

describe('floats', () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true })
  /** Doubles as people and printers write them: short, long, with and without exponent. */
  const written = fc
    .oneof(
      double.map(String),
      double.map((value) => value.toExponential()),
      fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.tuple(fc.integer(), fc.nat()).map(([whole, fraction]) => `${whole}.${fraction}`),
      fc.tuple(fc.bigInt(), fc.integer({ min: -40, max: 40 })).map(([m, e]) => `${m}e${e}`),
      fc
        .tuple(fc.nat({ max: 9 }), fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 30 }))
        .map(([first, rest]) => `${first}.${rest.join('')}`),
    )
    .filter((text) => Number.isFinite(Number(text)))

  it.each(['FP32', 'FP64'] as const)(
    '%s reads every way to write a number as JSON.parse does',
    (datatype) => {
      fc.assert(
        fc.property(fc.array(written, { minLength: 1, maxLength: 20 }), (texts) => {
          const json = `[${texts.join(', ')}]`
          // `-0` is an integer, and integers have no negative zero.
          const values = (JSON.parse(json) as number[]).map((value, i) =>
            texts[i] === '-0' ? 0 : value,
          )
          const expected =
            datatype === 'FP32' ? Float32Array.from(values) : Float64Array.from(values)
          expect(read(datatype, json, values.length)).toEqual(bytesOf(expected))
        }),
        { numRuns: 5000, seed: 20261121 },
      )
    },
  )

  it('rounds doubles next to the middle of two float32 right', () => {
    const texts: string[] = []
    for (let i = 0; i < 2000; i++) {
      const low = Math.fround(1 + i / 1777)
      const middle = low + 2 ** -24
      for (const nudge of [-(2 ** -52), 0, 2 ** -52]) texts.push((middle + nudge).toPrecision(19))
    }
    const values = JSON.parse(`[${texts}]`) as number[]
    expect(read('FP32', `[${texts}]`, texts.length)).toEqual(bytesOf(Float32Array.from(values)))
  })

  it('take NaN and infinities, and nothing that is no number', () => {
    expect(read('FP32', '[NaN,-Infinity,-0.0,-0]', 4)).toEqual(
      bytesOf(Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, -0, 0)),
    )
    for (const wrong of ['"1"', 'true', 'null', '{}']) {
      expect(read('FP32', `[1,${wrong}]`, 2)).toBe('attempt to access JSON non-number as double')
    }
  })
})

describe('integers', () => {
  it('wrap where they do not fit, as Triton casts them', () => {
    expect(read('INT8', '[300,-129,9007199254740993]', 3)).toEqual(Uint8Array.of(44, 127, 1))
    expect(read('UINT16', '[65536,65537]', 2)).toEqual(Uint8Array.of(0, 0, 1, 0))
  })

  it('of 64 bits are exact', () => {
    const edges = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, -4294967297n]
    expect(read('INT64', `[${edges}]`, edges.length)).toEqual(bytesOf(BigInt64Array.from(edges)))
    const unsigned = [0n, 4294967296n, 2n ** 64n - 1n]
    expect(read('UINT64', `[${unsigned}]`, 3)).toEqual(bytesOf(BigUint64Array.from(unsigned)))
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        expect(read('INT64', `[${values}]`, values.length)).toEqual(
          bytesOf(BigInt64Array.from(values)),
        )
      }),
      { numRuns: 1000, seed: 3 },
    )
  })

  it.each([
    ['INT32', '1.0', 'attempt to access JSON non-signed-integer as signed-integer'],
    ['INT32', '1e2', 'attempt to access JSON non-signed-integer as signed-integer'],
    ['INT64', '9223372036854775808', 'attempt to access JSON non-signed-integer as signed-integer'],
    ['UINT8', '-1', 'attempt to access JSON non-unsigned-integer as unsigned-integer'],
    [
      'UINT64',
      '18446744073709551616',
      'attempt to access JSON non-unsigned-integer as unsigned-integer',
    ],
    ['BOOL', '1', 'attempt to access JSON non-boolean as boolean'],
    ['BYTES', '1', 'attempt to access JSON non-string as string'],
  ] as const)('%s refuses %s', (datatype, value, reason) => {
    expect(read(datatype, `[${value}]`, 1)).toBe(reason)
  })
})

describe('data', () => {
  it('may be nested in any way', () => {
    const expected = bytesOf(Int32Array.of(1, 2, 3, 4))
    for (const json of [
      '[1,2,3,4]',
      '[[1,2],[3,4]]',
      '[[[1]],2,[],[3,[4]]]',
      ' [ [ 1 , 2 ] , 3,4 ] ',
    ]) {
      expect(read('INT32', json.trim(), 4)).toEqual(expected)
    }
  })

  it('must have as many elements as its shape', () => {
    const reason = "Shape does not match true shape of 'data' field"
    expect(read('INT32', '[1,2]', 3)).toBe(reason)
    expect(read('INT32', '[1,2,3,4]', 3)).toBe(reason)
    expect(read('FP32', '[]', 1)).toBe(reason)
    expect(read('BOOL', '[true,1]', 1)).toBe(reason)
  })

  it('takes no more room than its text could fill, whatever its shape says', () => {
    const sink = scalarSink('FP64', 2 ** 40, 100)
    readTensorData(new JsonReader(utf8('[1,2]'), DEFAULT_PROTOCOL_LIMITS), sink)
    expect(sink.finish().length).toBeLessThanOrEqual(51 * 8)
    expect(sink.error).toContain('Shape does not match')
  })

  it('is refused for its syntax even after a wrong element', () => {
    expect(failure(() => read('INT32', '["x",1,]', 2))).toContain('Invalid value. at 7')
    expect(failure(() => read('INT32', '[1,01]', 2))).toContain('Missing a comma')
    expect(failure(() => read('FP32', '[1,[2}', 2))).toContain('Missing a comma')
    expect(failure(() => read('FP32', '[1.]', 1))).toContain('Miss fraction part in number. at 3')
    expect(failure(() => read('FP32', '[[1]', 1))).toContain('Missing a comma')
  })

  it('keeps strings byte by byte', () => {
    const raw = Uint8Array.of(0x5b, 0x22, 0xff, 0x5c, 0x75, 0x30, 0x30, 0x65, 0x39, 0x22, 0x5d)
    const reader = new JsonReader(raw, DEFAULT_PROTOCOL_LIMITS)
    const sink = scalarSink('BYTES', 1, raw.length)
    readTensorData(reader, sink)
    expect(sink.finish()).toEqual(packBytes([Uint8Array.of(0xff, 0xc3, 0xa9)]))
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (strings) => {
        expect(read('BYTES', JSON.stringify(strings), strings.length)).toEqual(
          packBytes(strings.map(utf8)),
        )
      }),
      { numRuns: 1000, seed: 5 },
    )
  })
})
