import { expect, test } from 'vitest'
import { paddingOf } from '../../../core/config/padding.ts'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { validateConfig } from '../../../core/config/validate.ts'

const BASE = `name: "m" backend: "identity" max_batch_size: 4 dynamic_batching {}
version_policy { latest { num_versions: 1 } }
instance_group { name: "g" count: 1 kind: KIND_CPU }
input { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] }
input { name: "mask" data_type: TYPE_FP16 dims: [ 2, -1, 3 ] }
input { name: "pair" data_type: TYPE_INT32 dims: [ -1, -1 ] }
input { name: "fixed" data_type: TYPE_INT32 dims: [ 1 ] }
input { name: "text" data_type: TYPE_STRING dims: [ -1 ] }
input { name: "ragged" data_type: TYPE_INT32 dims: [ -1 ] allow_ragged_batch: true }
output { name: "states" data_type: TYPE_FP32 dims: [ -1, 8 ] }
output { name: "attention" data_type: TYPE_FP32 dims: [ 12, -1, -1 ] }
output { name: "label" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "words" data_type: TYPE_STRING dims: [ -1 ] }`

const parameter = (key: string, value: string) =>
  `parameters { key: "nereid_padding${key}" value { string_value: "${value}" } }`
const padded = (...more: string[]) =>
  parseConfig([BASE, parameter('', 'ids=0'), ...more].join('\n'))

test('a config that says nothing has no padding', () => {
  expect(paddingOf(parseConfig(BASE))).toBeNull()
})

test('axes are those of the free dimensions, rows in front', () => {
  const outputs = parameter('_outputs', 'states=ids,attention = mask')
  const config = parseConfig(
    `${BASE} ${parameter('', ' ids=-1,  mask=1 ')} ${outputs} ${parameter('_buckets', '8, 16,64')}`,
  )
  expect(paddingOf(config)).toEqual({
    inputs: new Map([
      ['ids', { axis: 1, element: new Uint8Array(8).fill(255) }],
      ['mask', { axis: 2, element: Uint8Array.of(0, 0x3c) }],
    ]),
    outputs: new Map([
      ['states', { source: 'ids', sourceAxis: 1, axes: [1] }],
      ['attention', { source: 'mask', sourceAxis: 2, axes: [2, 3] }],
    ]),
    buckets: [8, 16, 64],
  })
})

test.each([
  ['', 'ids', `"ids" is not like "NAME=VALUE, NAME=VALUE"`],
  ['', 'ids=0,,', `"ids=0,," is not like "NAME=VALUE, NAME=VALUE"`],
  ['', '', 'no input is named'],
  ['', 'ids=0,ids=1', "'ids' is named twice"],
  ['', 'other=0', "there is no input 'other'"],
  ['', 'pair=0', "'pair' has 2 free dimensions, padding needs one"],
  ['', 'fixed=0', "'fixed' has 0 free dimensions, padding needs one"],
  ['', 'text=x', `'text' is TYPE_STRING, which has no value "x"`],
  ['', 'ids=1.5', `'ids' is TYPE_INT64, which has no value "1.5"`],
  ['', 'ragged=0', "'ragged' has allow_ragged_batch"],
  ['_outputs', 'other=ids', "there is no output 'other'"],
  ['_outputs', 'states=mask', "'mask' is no padded input"],
  ['_outputs', 'label=ids', "'label' has no free dimension"],
  ['_outputs', 'words=ids', "'words' is TYPE_STRING"],
  ...['0', '8,8', '16,8', '8,', 'x', '-1', '2000000'].map((text) => [
    '_buckets',
    text,
    `"${text}" must be up to 256 rising lengths from 1 to 1048576, separated by commas`,
  ]),
])('nereid_padding%s "%s" is refused', (key, value, text) => {
  const more = parameter(key as string, value as string)
  const config = key === '' ? parseConfig(`${BASE} ${more}`) : padded(more)
  expect(() => validateConfig(config, { modelName: 'm' })).toThrow(
    `in model m, parameter 'nereid_padding${key}': ${text}`,
  )
})

test('padding is for models that batch requests, each with one answer', () => {
  const refuse = (text: string) =>
    expect(() => paddingOf(parseConfig(`${text} ${parameter('', 'ids=0')}`)))
  const needs = 'padding needs dynamic_batching and a max_batch_size'
  refuse(BASE.replace('dynamic_batching {}', '')).toThrow(needs)
  refuse(BASE.replace('max_batch_size: 4', '')).toThrow(needs)
  refuse(`${BASE} model_transaction_policy { decoupled: true }`).toThrow('not for decoupled models')
  expect(() => paddingOf(parseConfig(`${BASE} ${parameter('_buckets', '8')}`))).toThrow(
    "parameter 'nereid_padding': no input is named",
  )
})

test.each([
  ['blanks', ' '.repeat(1e6)],
  ['names', 'a b '.repeat(250_000)],
  ['digits', `ids=${'1'.repeat(1e6)}x`],
])('a million %s are refused by their number', (_, text) => {
  expect(() => paddingOf(parseConfig(`${BASE} ${parameter('', text)}`))).toThrow(
    /has \d{7} characters, the limit is 16384$/,
  )
})
