import { DATATYPE_SIZES, type Datatype } from '../tensor.ts'
import type { ConfigDatatype } from './types.ts'

/** `TYPE_FP32` → `FP32`, `TYPE_STRING` → `BYTES`; `undefined` for `TYPE_INVALID` or none. */
export function datatypeOfConfig(type: ConfigDatatype | undefined): Datatype | undefined {
  if (type === undefined || type === 'TYPE_INVALID') return undefined
  return type === 'TYPE_STRING' ? 'BYTES' : (type.slice('TYPE_'.length) as Datatype)
}

/** `FP32` → `TYPE_FP32`, `BYTES` → `TYPE_STRING`. */
export function configOfDatatype(datatype: Datatype): ConfigDatatype {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`
}

/** Bytes per element of a config's datatype; 0 for strings and for `TYPE_INVALID`. */
export function sizeOfConfigDatatype(type: ConfigDatatype | undefined): number {
  const datatype = datatypeOfConfig(type)
  return datatype === undefined ? 0 : DATATYPE_SIZES[datatype]
}
