import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { JsonReader } from '../../../../core/protocol/rest/json-reader.ts'
import { JsonDouble, type JsonValue } from '../../../../core/protocol/rest/json-value.ts'
import { failure, utf8 } from './fake-server.ts'

const read = (json: string | Uint8Array): JsonValue =>
  new JsonReader(typeof json === 'string' ? utf8(json) : json, DEFAULT_PROTOCOL_LIMITS).document()

/** The tree as JSON.parse would have made it. */
function plain(value: JsonValue): unknown {
  if (value instanceof JsonDouble) return value.value
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]))
  }
  return value
}

describe('a document that is not JSON', () => {
  // Reason and offset as Triton 2.51.0 gives them.
  it.each([
    ['{', 'Missing a name for object member. at 1'],
    ['{}x', 'The document root must not be followed by other values. at 2'],
    ['{} {}', 'The document root must not be followed by other values. at 3'],
    ['   ', 'The document is empty. at 3'],
    ['', 'The document is empty. at 0'],
    ['{"a"', 'Missing a colon after a name of object member. at 4'],
    ['{"a":', 'Invalid value. at 5'],
    ['{"a":1', "Missing a comma or '}' after an object member. at 6"],
    ['{"a":1,', 'Missing a name for object member. at 7'],
    ['{"a":1,}', 'Missing a name for object member. at 7'],
    ['{a:1}', 'Missing a name for object member. at 1'],
    ['[1,]', 'Invalid value. at 3'],
    ['[1 2]', "Missing a comma or ']' after an array element. at 3"],
    ['[', 'Invalid value. at 1'],
    ['[1', "Missing a comma or ']' after an array element. at 2"],
    ['{"a" 1}', 'Missing a colon after a name of object member. at 5'],
    ['{"a":tru}', 'Invalid value. at 8'],
    ['{"a":nul', 'Invalid value. at 8'],
    ['{"a":-}', 'Invalid value. at 6'],
    ['{"a":1.}', 'Miss fraction part in number. at 7'],
    ['{"a":1e}', 'Miss exponent in number. at 7'],
    ['{"a":01}', "Missing a comma or '}' after an object member. at 6"],
    ['{"a":1e400}', 'Number too big to be stored in double. at 5'],
    ['{"a":"x', 'Missing a closing quotation mark in string. at 7'],
    ['{"a":"\\q"}', 'Invalid escape character in string. at 6'],
    ['{"a":"\\u12g4"}', 'Incorrect hex digit after \\u escape in string. at 6'],
    ['{"a":"\\ud800"}', 'The surrogate pair in string is invalid. at 6'],
    ['{"a":"\\ud800\\u0041"}', 'The surrogate pair in string is invalid. at 6'],
    ['{"a":"x\ny"}', 'Invalid escape character in string. at 7'],
    ['{"a":"x\u0001y"}', 'Invalid escape character in string. at 7'],
    ['{"a":.5}', 'Invalid value. at 5'],
    ['{"a":+5}', 'Invalid value. at 5'],
    ['{"a":-Infx}', "Missing a comma or '}' after an object member. at 9"],
    ['{"a":Infinit}', 'Invalid value. at 12'],
    ['nullx', 'The document root must not be followed by other values. at 4'],
    ['{"a":[}', 'Invalid value. at 6'],
    ['{"a":{]}', 'Missing a name for object member. at 6'],
    [',', 'Invalid value. at 0'],
    ['{"a":"\\', 'Invalid escape character in string. at 6'],
    ['{"a":\'x\'}', 'Invalid value. at 5'],
  ])('%j is refused with its reason and offset', (json, reason) => {
    expect(failure(() => read(json))).toBe(
      `INVALID_ARG: failed to parse the request JSON buffer: ${reason}`,
    )
    expect(
      failure(() => new JsonReader(utf8(`[${json}`), DEFAULT_PROTOCOL_LIMITS).document()),
    ).not.toBe('no error')
  })
})

describe('a document', () => {
  it('is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (json) => {
        expect(plain(read(json))).toEqual(
          // -0 is an integer, and integers have no negative zero.
          JSON.parse(json, (_key, value) =>
            Object.is(value, -0) && !/-0[.e]/.test(json) ? 0 : value,
          ),
        )
      }),
      { numRuns: 2000, seed: 20261121 },
    )
  })

  it('is refused where JSON.parse refuses it', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '1',
      '-',
      '.5',
      'e',
      'true',
      'null',
      ' ',
      '"',
      '\\',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 9 }), (parts) => {
        const json = parts.join('')
        let valid = true
        try {
          JSON.parse(json)
        } catch {
          valid = false
        }
        expect(failure(() => read(json)) === 'no error').toBe(valid)
        expect(
          failure(() => {
            const reader = new JsonReader(utf8(json), DEFAULT_PROTOCOL_LIMITS)
            reader.skip()
            reader.finish()
          }) === 'no error',
        ).toBe(valid)
      }),
      { numRuns: 20_000, seed: 7 },
    )
  })

  it('keeps every 64-bit integer exact and tells integers from doubles', () => {
    expect(read('[9007199254740993,-9223372036854775808,18446744073709551615,1,1.0,1e2]')).toEqual([
      9007199254740993n,
      -9223372036854775808n,
      18446744073709551615n,
      1,
      new JsonDouble(1),
      new JsonDouble(100),
    ])
    expect(read('18446744073709551616')).toEqual(new JsonDouble(18446744073709552000))
    expect(read('-9223372036854775809')).toEqual(new JsonDouble(-(2 ** 63)))
  })

  it('may hold NaN and infinities, as Triton writes them', () => {
    expect(plain(read('[NaN,Inf,-Inf,Infinity,-Infinity]'))).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ])
  })

  it('counts the first of two members of one name', () => {
    expect(plain(read('{"a":1,"\\u0061":2}'))).toEqual({ a: 1 })
  })

  it('may begin with a byte order mark and hold text that is no UTF-8', () => {
    expect(read(Uint8Array.of(0xef, 0xbb, 0xbf, 0x22, 0xff, 0x22))).toBe('\ufffd')
  })
})
