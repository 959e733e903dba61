import { binaryOut, infer, input, one, type Question } from './question.ts'

/** Shapes, datatypes and data in JSON. */
export const tensors: readonly Question[] = [
  infer('errors', 'negative dimension', 'identity_fp32', one('FP32', [1, 2, 3], [1, -3])),
  infer('errors', 'dimension is a fraction', 'identity_fp32', one('FP32', [1, 2, 3], [1, 3.5])),
  infer('errors', 'dimension is a string', 'identity_fp32', one('FP32', [1, 2, 3], [1, '3'])),
  infer('errors', 'shape not an array', 'identity_fp32', one('FP32', [1, 2, 3], 3)),
  infer('errors', 'empty shape', 'identity_fp32', one('FP32', [1], [])),
  infer('errors', 'three dimensions', 'identity_fp32', one('FP32', [1, 2, 3], [1, 3, 1])),
  infer('infer', 'no columns', 'identity_fp32', one('FP32', [], [1, 0])),
  infer('errors', 'datatype not a string', 'identity_fp32', one(5 as never, [1, 2, 3])),
  infer('errors', 'lower case datatype', 'identity_fp32', one('fp32', [1, 2, 3])),
  infer('errors', 'name not a string', 'identity_fp32', {
    inputs: [{ name: 5, datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }],
  }),
  infer('errors', 'input not an object', 'identity_fp32', { inputs: [5] }),
  infer('errors', 'no data at all', 'identity_fp32', {
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 3] }],
  }),
  infer('errors', 'data not an array', 'identity_fp32', one('FP32', 5)),
  infer('errors', 'data is a string', 'identity_fp32', one('FP32', 'abc')),
  infer('errors', 'strings for numbers', 'identity_fp32', one('FP32', ['1', '2', '3'])),
  infer('errors', 'null for a number', 'identity_fp32', one('FP32', [1, null, 3])),
  infer('errors', 'object for a number', 'identity_fp32', one('FP32', [1, {}, 3])),
  infer('errors', 'boolean for a number', 'identity_int32', one('INT32', [true, 2, 3])),
  infer('errors', 'fraction for an integer', 'identity_int32', one('INT32', [1.5, 2, 3])),
  infer(
    'errors',
    'exponent for an integer',
    'identity_int32',
    '{"inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,1],"data":[1e0]}]}',
  ),
  infer('errors', 'negative for unsigned', 'identity_uint8', one('UINT8', [-1, 2, 3])),
  infer('errors', 'negative for UINT64', 'identity_uint64', one('UINT64', [-1, 2, 3])),
  infer('errors', 'beyond INT32', 'identity_int32', one('INT32', [4294967296, 2147483648, 3])),
  infer(
    'errors',
    'beyond INT64',
    'identity_int64',
    '{"inputs":[{"name":"INPUT0","datatype":"INT64","shape":[1,1],"data":[9223372036854775808]}]}',
  ),
  infer('errors', 'numbers for booleans', 'identity_bool', one('BOOL', [1, 0, 2])),
  infer('errors', 'numbers for strings', 'identity_string', one('BYTES', [1, 2, 3])),
  infer('types', 'integers for floats', 'identity_fp32', one('FP32', [16777217, -0, 3])),
  infer('types', 'ragged nesting', 'identity_fp32', one('FP32', [[[1], [2]], 3])),
  infer('types', 'tiny and huge doubles', 'identity_fp64', one('FP64', [5e-324, 1.7e308, 0.1])),
  infer('types', 'float rounding', 'identity_fp32', one('FP32', [0.1, 1e-45, 123456789])),
  infer('types', 'beyond FP32', 'identity_fp32', one('FP32', [1e39, 2, 3])),
  infer('types', 'strings', 'identity_string', one('BYTES', ['', 'ä€😀', '"\\\n\t'])),
  infer('types', 'nested strings', 'identity_string', one('BYTES', [['a', 'b', 'c']])),
  infer('types', 'strings as bytes', 'identity_string', {
    ...one('BYTES', ['', 'ä€😀', 'x']),
    outputs: binaryOut,
  }),
  infer('types', 'unicode escapes', 'identity_string', {
    inputs: [input('INPUT0', 'BYTES', [1, 1], ['\u0001\u007f'])],
  }),
]
