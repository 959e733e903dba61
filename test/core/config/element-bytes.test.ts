import { expect, test } from 'vitest'
import { elementBytes } from '../../../core/config/element-bytes.ts'
import type { Datatype } from '../../../core/tensor.ts'

const hex = (datatype: Datatype, text: string) => {
  const bytes = elementBytes(datatype, text)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')
}

test.each<[Datatype, string, string]>([
  ['BOOL', 'true', '01'],
  ['BOOL', 'false', '00'],
  ['UINT8', '255', 'ff'],
  ['INT8', '-128', '80'],
  ['INT16', '-2', 'feff'],
  ['UINT32', '4294967295', 'ffffffff'],
  ['INT32', '+5', '05000000'],
  ['INT64', '-9223372036854775808', '0000000000000080'],
  ['UINT64', '18446744073709551615', 'ffffffffffffffff'],
  ['FP32', '-1e4', '00401cc6'],
  ['FP32', '-inf', '000080ff'],
  ['FP64', '.5', '000000000000e03f'],
  ['FP16', '1', '003c'],
  ['FP16', '-10000', 'e2f0'],
  ['FP16', '65504', 'ff7b'],
  ['FP16', '65520', '007c'],
  ['FP16', '-inf', '00fc'],
  ['FP16', '6e-8', '0100'],
  ['FP16', '6.103515625e-5', '0004'],
  ['FP16', '2049', '0068'],
  ['FP16', '2051', '0268'],
  ['FP16', '-0', '0080'],
  ['BF16', '1', '803f'],
  ['BF16', '-0', '0080'],
  ['BF16', '3.14159', '4940'],
  ['BF16', '-inf', '80ff'],
])('%s %s lies in memory as %s', (datatype, text, bytes) => {
  expect(hex(datatype, text)).toBe(bytes)
})

test.each<[Datatype, string]>([
  ['BOOL', '1'],
  ['UINT8', '256'],
  ['UINT8', '-1'],
  ['INT8', '128'],
  ['INT32', '1.5'],
  ['INT32', '2147483648'],
  ['INT64', '9223372036854775808'],
  ['INT32', ''],
  ['FP32', 'nan'],
  ['FP32', '0x10'],
  ['FP32', '1e'],
  ['BYTES', 'a'],
])('%s has no value %s', (datatype, text) => {
  expect(hex(datatype, text)).toBeUndefined()
})
