import { expect, test } from 'vitest'
import {
  configOfDatatype,
  datatypeOfConfig,
  sizeOfConfigDatatype,
} from '../../../core/config/datatypes.ts'
import { ENUMS } from '../../../core/config/enums.ts'
import type { ConfigDatatype } from '../../../core/config/types.ts'
import { DATATYPE_SIZES, type Datatype } from '../../../core/tensor.ts'

test('every datatype of the config is one of the wire and back', () => {
  const types = ENUMS.DataType.filter((type) => type !== 'TYPE_INVALID') as ConfigDatatype[]
  const wire = types.map((type) => datatypeOfConfig(type)!)
  expect([...wire].sort()).toEqual(Object.keys(DATATYPE_SIZES).sort())
  expect(wire.map((datatype: Datatype) => configOfDatatype(datatype))).toEqual(types)
})

test('strings are BYTES on the wire, and an invalid type is none', () => {
  expect(datatypeOfConfig('TYPE_STRING')).toBe('BYTES')
  expect(datatypeOfConfig('TYPE_INVALID')).toBeUndefined()
  expect(datatypeOfConfig(undefined)).toBeUndefined()
  expect(sizeOfConfigDatatype('TYPE_FP16')).toBe(2)
  expect(sizeOfConfigDatatype('TYPE_STRING')).toBe(0)
})
