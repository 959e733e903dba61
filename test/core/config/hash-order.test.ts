import { expect, test } from 'vitest'
import { inHashOrder } from '../../../core/config/hash-order.ts'

// Orders printed by a C++ program that fills a std::unordered_map (libstdc++ 12) with the names and walks it.
const cases: [names: string, order: string][] = [
  ['INPUT0 INPUT1', 'INPUT1 INPUT0'],
  ['OUTPUT0 OUTPUT1', 'OUTPUT1 OUTPUT0'],
  ['input_ids attention_mask token_type_ids', 'token_type_ids attention_mask input_ids'],
  [
    'x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13',
    'x0 x7 x13 x9 x1 x10 x2 x12 x3 x8 x4 x11 x5 x6',
  ],
  [
    Array.from({ length: 30 }, (_, i) => `past_key_values.${i}.key`).join(' '),
    'past_key_values.10.key past_key_values.5.key past_key_values.0.key past_key_values.23.key past_key_values.8.key past_key_values.14.key past_key_values.15.key past_key_values.4.key past_key_values.9.key past_key_values.12.key past_key_values.6.key past_key_values.21.key past_key_values.3.key past_key_values.2.key past_key_values.11.key past_key_values.7.key past_key_values.22.key past_key_values.16.key past_key_values.1.key past_key_values.27.key past_key_values.17.key past_key_values.18.key past_key_values.13.key past_key_values.19.key past_key_values.29.key past_key_values.20.key past_key_values.26.key past_key_values.24.key past_key_values.25.key past_key_values.28.key',
  ],
]

test.each(cases)('the tensors %.40s are listed as Triton lists them', (names, order) => {
  const items = names.split(' ').map((name) => ({ name }))
  expect(
    inHashOrder(items)
      .map((item) => item.name)
      .join(' '),
  ).toBe(order)
})

test('more tensors than any model has keep their own order', () => {
  const items = Array.from({ length: 6000 }, (_, i) => ({ name: `t${i}` }))
  expect(inHashOrder(items)).toEqual(items)
})
