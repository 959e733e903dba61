import { ServerError } from '../../errors.ts'
import { DATATYPE_SIZES, type Datatype, isDatatype } from '../../tensor.ts'
import {
  BOOL_CONTENTS,
  BYTES_CONTENTS,
  FP32_CONTENTS,
  FP64_CONTENTS,
  INT_CONTENTS,
  INT64_CONTENTS,
  type TensorContents,
  UINT_CONTENTS,
  UINT64_CONTENTS,
} from './tensor-contents.ts'

/** In the order in which Triton looks at the fields; a datatype that is not listed has no field. */
const FIELDS: readonly (readonly [field: number, datatypes: readonly Datatype[]])[] = [
  [BOOL_CONTENTS, ['BOOL']],
  [INT_CONTENTS, ['INT32', 'INT16', 'INT8']],
  [INT64_CONTENTS, ['INT64']],
  [UINT_CONTENTS, ['UINT32', 'UINT16', 'UINT8']],
  [UINT64_CONTENTS, ['UINT64']],
  [FP32_CONTENTS, ['FP32']],
  [FP64_CONTENTS, ['FP64']],
  [BYTES_CONTENTS, ['BYTES']],
]
const NO_DATA = new Uint8Array(0)

/** The bytes of an input given by value. `datatype` is what the request says. Throws INVALID_ARG with Triton's texts. */
export function typedData(
  contents: TensorContents,
  datatype: string,
  input: string,
  model: string,
): Uint8Array {
  let data: Uint8Array = NO_DATA
  for (const [field, datatypes] of FIELDS) {
    if (contents.counts[field] === 0) continue
    const place = `unexpected explicit tensor data for input tensor '${input}' for model '${model}'`
    if (data.length > 0) {
      throw new ServerError('INVALID_ARG', `${place}, binary data was already supplied.`)
    }
    const accepted = datatypes.find((one) => one === datatype)
    if (accepted === undefined) {
      throw new ServerError(
        'INVALID_ARG',
        `${place} of type '${datatypes[0]}', expected datatype '${isDatatype(datatype) ? datatype : '<invalid>'}'`,
      )
    }
    data =
      field === BYTES_CONTENTS
        ? contents.copyStrings()
        : contents.copyElements(field, DATATYPE_SIZES[accepted])
  }
  return data
}
