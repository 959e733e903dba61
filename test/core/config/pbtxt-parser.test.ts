import { describe, expect, test } from 'vitest'
import {
  MAX_CONFIG_DEPTH,
  MAX_CONFIG_LENGTH,
  parseConfig,
} from '../../../core/config/pbtxt-parser.ts'
import { ServerError } from '../../../core/errors.ts'

function errorOf(text: string): string {
  try {
    parseConfig(text)
  } catch (error) {
    if (error instanceof ServerError && error.code === 'INVALID_ARG') return error.message
    throw error
  }
  throw new Error(`no error for ${text}`)
}

describe('every spelling of the text format is read', () => {
  const cases: [title: string, text: string, config: object][] = [
    ['nothing but comments', '# a\n  # b', {}],
    ['a byte order mark', '\uFEFFname: "a"', { name: 'a' }],
    [
      'commas and semicolons after fields',
      'name:"a", max_batch_size:1; backend:"b"',
      { name: 'a', max_batch_size: 1, backend: 'b' },
    ],
    [
      'a list and single fields together',
      'input [{name:"a"},{name:"b"}] input {name:"c"}',
      { input: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] },
    ],
    [
      'empty lists',
      'input [] output: [] instance_group { gpus: [] }',
      { input: [], output: [], instance_group: [{ gpus: [] }] },
    ],
    [
      'angle brackets and a colon before them',
      'version_policy: < all <> >',
      { version_policy: { all: {} } },
    ],
    ['adjacent strings', 'name: "a" \'b\'\n"c"', { name: 'abc' }],
    [
      'simple escapes',
      String.raw`name: "\a\b\f\n\r\t\v\?\\\'\""`,
      { name: '\x07\b\f\n\r\t\v?\\\'"' },
    ],
    ['byte escapes', String.raw`name: "\x41\101\7\xc3" "\251"`, { name: 'AA\x07é' }],
    ['code point escapes', String.raw`name: "\u00e9\U0001F600"`, { name: 'é😀' }],
    ['other quotes inside quotes', `name: "it's" platform: '"'`, { name: "it's", platform: '"' }],
    ['a comment sign inside quotes', 'name: "#a"', { name: '#a' }],
    [
      'hexadecimal, octal and negative integers',
      'input { dims: [0x10, 010, -1, - 2, 0, -0] }',
      { input: [{ dims: [16, 8, -1, -2, 0, 0] }] },
    ],
    [
      'the largest integers counted exactly',
      'version_policy { specific { versions: [9007199254740991, -9007199254740991] } }',
      { version_policy: { specific: { versions: [9007199254740991, -9007199254740991] } } },
    ],
    [
      'floats',
      'model_metrics { metric_control { histogram_options { buckets: [1, .5, 2., 1e3, 1.5E-1f, 3f, -inf, Infinity] } } }',
      {
        model_metrics: {
          metric_control: [
            { histogram_options: { buckets: [1, 0.5, 2, 1000, 0.15, 3, -Infinity, Infinity] } },
          ],
        },
      },
    ],
    [
      '32-bit floats at their own precision',
      'sequence_batching { direct { minimum_slot_utilization: 0.1 } }',
      { sequence_batching: { direct: { minimum_slot_utilization: Math.fround(0.1) } } },
    ],
    [
      'booleans',
      'input [{optional:true},{optional:True},{optional:t},{optional:1},{optional:false},{optional:False},{optional:f},{optional:0}]',
      {
        input: [true, true, true, true, false, false, false, false].map((optional) => ({
          optional,
        })),
      },
    ],
    [
      'enums by name and by number',
      'input { data_type: TYPE_FP32 format: 2 }',
      { input: [{ data_type: 'TYPE_FP32', format: 'FORMAT_NCHW' }] },
    ],
    [
      'maps, the last of equal keys',
      'metric_tags {key:"a" value:"1"} metric_tags [{key:"a",value:"2"},{key:"b"},{value:"3"}]',
      { metric_tags: { a: '2', b: '', '': '3' } },
    ],
    [
      'maps of messages',
      'parameters { key: "k" value { string_value: "v" } } parameters { key: "e" }',
      { parameters: { k: { string_value: 'v' }, e: {} } },
    ],
    [
      'maps with number keys',
      'dynamic_batching { priority_queue_policy { key: 0x2 value { max_queue_size: 1 } } }',
      { dynamic_batching: { priority_queue_policy: { 2: { max_queue_size: 1 } } } },
    ],
  ]
  test.each(cases)('%s', (_, text, config) => {
    expect(parseConfig(text)).toEqual(config)
  })

  test('a map key named __proto__ is a key as any other', () => {
    const config = parseConfig('metric_tags { key: "__proto__" value: "x" }')
    expect(Object.entries(config.metric_tags ?? {})).toEqual([['__proto__', 'x']])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })
})

describe('errors name line, column and field', () => {
  const cases: [text: string, message: string | RegExp][] = [
    [
      '\n  inptu { }',
      "config.pbtxt:2:3: inptu: unknown field 'inptu' in ModelConfig; did you mean 'input'?",
    ],
    [
      'input {\n\tname: "a"\n\tdim: 1\n}',
      "config.pbtxt:3:2: input[0].dim: unknown field 'dim' in ModelInput; did you mean 'dims'?",
    ],
    [
      'hasOwnProperty: 1',
      "config.pbtxt:1:1: hasOwnProperty: unknown field 'hasOwnProperty' in ModelConfig",
    ],
    [
      'input { data_type: FP32 }',
      /1:20: input\[0\]\.data_type: expected one of TYPE_INVALID, .*, found 'FP32'/,
    ],
    ['input { data_type: TYPE_F32 }', /did you mean 'TYPE_FP32'\?$/],
    ['input { data_type: 15 }', /found '15'$/],
    ['name: "a" name: "b"', 'config.pbtxt:1:11: name: given more than once'],
    ['optimization {} optimization {}', 'config.pbtxt:1:17: optimization: given more than once'],
    [
      'dynamic_batching {} sequence_batching {}',
      "config.pbtxt:1:21: sequence_batching: cannot be given together with 'dynamic_batching' (one of scheduling_choice)",
    ],
    [
      'metric_tags { key: "a" key: "b" }',
      'config.pbtxt:1:24: metric_tags.key: given more than once',
    ],
    [
      'max_batch_size: 2147483648',
      'config.pbtxt:1:17: max_batch_size: 2147483648 is out of range for int32 (-2147483648 to 2147483647)',
    ],
    [
      'model_warmup { count: -1 }',
      'config.pbtxt:1:23: model_warmup[0].count: -1 is negative, uint32 cannot be',
    ],
    ['input { dims: 9007199254740992 }', /9007199254740992 is out of range for int64/],
    ['max_batch_size: 1.0', "config.pbtxt:1:17: max_batch_size: expected an integer, found '1.0'"],
    [
      'max_batch_size: "1"',
      'config.pbtxt:1:17: max_batch_size: expected an integer, found a string',
    ],
    ['max_batch_size: 08', /1:17: '08' starts with 0 and so must be octal/],
    ['max_batch_size: 0x', /1:17: '0x' needs hexadecimal digits/],
    ['max_batch_size: 1a', /1:17: '1a' is not a number/],
    [
      'model_metrics { metric_control { histogram_options { buckets: 1e } } }',
      /no digits in its exponent/,
    ],
    [
      'model_metrics { metric_control { histogram_options { buckets: 0x1 } } }',
      /expected a number, found '0x1'/,
    ],
    ['name "a"', "config.pbtxt:1:6: name: expected ':', found a string"],
    ['name: a', "config.pbtxt:1:7: name: expected a quoted string, found 'a'"],
    [
      'input { optional: yes }',
      "config.pbtxt:1:19: input[0].optional: expected true or false, found 'yes'",
    ],
    ['input { dims [1] }', "config.pbtxt:1:14: input[0].dims: expected ':', found '['"],
    ['input { dims: [1,] }', "config.pbtxt:1:18: input[0].dims[1]: expected an integer, found ']'"],
    ['input { dims: [1 2] }', "config.pbtxt:1:18: input[0].dims: expected ',' or ']', found '2'"],
    ['input [ 1 ]', "config.pbtxt:1:9: input[0]: expected '{', found '1'"],
    [
      'input { name: "a" >',
      "config.pbtxt:1:19: expected a field name or '}' in input[0], found '>'",
    ],
    [
      'input {',
      "config.pbtxt:1:8: expected a field name or '}' in input[0], found the end of file",
    ],
    ['}', "config.pbtxt:1:1: expected a field name, found '}'"],
    ['name: "a",, backend: "b"', "config.pbtxt:1:11: expected a field name, found ','"],
    ['version_policy [ { } ]', /1:16: version_policy: expected '\{', found '\['/],
    ['name: "a', 'config.pbtxt:1:7: string is not closed on its line'],
    ['name: "a\n"', 'config.pbtxt:1:7: string is not closed on its line'],
    [String.raw`name: "a\q"`, String.raw`config.pbtxt:1:9: invalid escape "\\q" in string`],
    [String.raw`name: "\ud800"`, /invalid escape/],
    [String.raw`name: "\U00110000"`, /invalid escape/],
    [String.raw`name: "\xff"`, 'config.pbtxt:1:7: name: string is not valid UTF-8'],
    ['name: "a\0b"', /NUL/],
    ['name: é', /1:7: unexpected character "é"/],
    ['[foo.bar]: 1', "config.pbtxt:1:1: expected a field name, found '['"],
  ]
  test.each(cases)('%j', (text, message) => {
    if (typeof message === 'string') expect(errorOf(text)).toBe(message)
    else expect(errorOf(text)).toMatch(message)
  })

  test('the file is called what the caller calls it', () => {
    expect(() => parseConfig('x', { file: 'm/config.pbtxt' })).toThrow(/^m\/config\.pbtxt:1:1: /)
  })

  test('long names and values are cut short', () => {
    expect(errorOf('x'.repeat(100_000)).length).toBeLessThan(300)
    expect(errorOf(`max_batch_size: ${'9'.repeat(100_000)}`).length).toBeLessThan(300)
  })
})

describe('limits', () => {
  test('a text at the limit is read, one character more is refused', () => {
    const text = `name: "a" #${' '.repeat(MAX_CONFIG_LENGTH)}`.slice(0, MAX_CONFIG_LENGTH)
    expect(parseConfig(text)).toEqual({ name: 'a' })
    expect(errorOf(`${text} `)).toMatch(/has 1048577 characters, the limit is 1048576$/)
  })

  test('nesting without end is refused before the stack is', () => {
    expect(errorOf('parameters {'.repeat(50_000))).toMatch(/unknown field|nested deeper/)
    expect(errorOf('input {'.repeat(MAX_CONFIG_DEPTH + 1))).toMatch(/unknown field|nested deeper/)
  })
})

test('places tell where each field stands', () => {
  const places = new Map()
  parseConfig('name: "a"\ninput [\n  { dims: [ 1,\n 2 ] }\n]', { places })
  expect(places.get('name')).toMatchObject({ line: 1, column: 1 })
  expect(places.get('input[0]')).toMatchObject({ line: 3, column: 3 })
  expect(places.get('input[0].dims[1]')).toMatchObject({ line: 4, column: 2 })
})
