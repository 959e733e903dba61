import { test } from 'node:test'
import { backendCases, modelSource, openPlugin, packBytes } from 'nereid-server/backend-contract'
import { backend } from './index.mjs'

const VOCABULARY = '[PAD]\n[UNK]\n[CLS]\n[SEP]\nplay\n##ing\n##ed\ngood\ncafe\n!\n'
const [UNK, CLS, SEP, PLAY, ING, GOOD, CAFE, BANG] = [1, 2, 3, 4, 5, 7, 8, 9]

/** A model of this vocabulary whose texts become `max_length` ids. */
const tokens = (parameters = { max_length: '6' }, vocabulary = VOCABULARY) =>
  modelSource({
    name: 'tokens',
    files: { 'vocab.txt': vocabulary },
    config: {
      max_batch_size: 8,
      input: [{ name: 'TEXT', data_type: 'TYPE_STRING', dims: [1] }],
      output: [
        { name: 'input_ids', data_type: 'TYPE_INT64', dims: [6] },
        { name: 'attention_mask', data_type: 'TYPE_INT64', dims: [6] },
      ],
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([key, value]) => [key, { string_value: value }]),
      ),
    },
  })

const rows = (...texts) => ({
  name: 'TEXT',
  datatype: 'BYTES',
  shape: [texts.length, 1],
  data: packBytes(texts.map((text) => new TextEncoder().encode(text))),
})
const ids = (name, ...values) => ({
  name,
  datatype: 'INT64',
  shape: [values.length / 6, 6],
  data: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
})

const cases = backendCases({
  name: 'wordpiece',
  create: () => openPlugin(backend, 'wordpiece'),
  models: {
    samples: [
      {
        source: tokens(),
        inputs: [rows('Playing!')],
        outputs: [
          ids('input_ids', CLS, PLAY, ING, BANG, SEP, 0),
          ids('attention_mask', 1, 1, 1, 1, 1, 0),
        ],
      },
      {
        source: tokens(),
        rows: 2,
        inputs: [rows('Good café, unheard', '')],
        outputs: [
          ids('input_ids', CLS, GOOD, CAFE, UNK, UNK, SEP, CLS, SEP, 0, 0, 0, 0),
          ids('attention_mask', 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),
        ],
      },
    ],
    broken: [
      { source: tokens({ max_length: '1' }), message: /^max_length must be from 2/ },
      { source: tokens({}, 'one\ntwo\n'), message: /the vocabulary has no \[PAD\]/ },
    ],
  },
})

for (const { name, skip, run } of cases) test(name, { skip }, run)
