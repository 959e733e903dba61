import { binary, infer, input, type Question, sized } from '../questions/question.ts'
import { INT32 } from './ask.ts'

const TYPES: readonly (readonly [string, readonly unknown[]])[] = [
  ['BOOL', [true, false, true]],
  ['UINT8', [0, 255]],
  ['UINT16', [0, 65535]],
  ['UINT32', [0, 4294967295]],
  ['UINT64', [0, 9007199254740991]],
  ['INT8', [-128, 127]],
  ['INT16', [-32768, 32767]],
  ['INT32', [-2147483648, 2147483647]],
  ['INT64', [-9007199254740991, 9007199254740991]],
  ['FP32', [0.5, -1.25, 3.4e38]],
  ['FP64', [0.1, -1e300]],
]
const asBytes = [{ name: 'OUTPUT0', parameters: { binary_data: true } }]
const fp32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const vectors = (rows: number) => [
  input('INPUT0', 'FP32', [rows, 4], Array(rows * 4).fill(1.5)),
  input('INPUT1', 'FP32', [rows, 4], Array(rows * 4).fill(0.25)),
]
const text = (values: readonly string[]) => input('INPUT0', 'BYTES', [values.length], values)

/** Every datatype in and out, empty and large tensors, JSON and bytes. */
export const tensors: readonly Question[] = [
  infer('infer', 'sum and difference', 'add_sub', { id: 'one', inputs: vectors(1) }),
  infer('infer', 'sum and difference of a batch', 'add_sub', { inputs: vectors(8) }),
  infer('infer', 'too many in a batch', 'add_sub', { inputs: vectors(9) }),
  infer('infer', 'one wanted output', 'add_sub', {
    inputs: vectors(1),
    outputs: [{ name: 'OUTPUT1' }],
  }),
  infer('infer', 'a missing input', 'add_sub', { inputs: vectors(1).slice(1) }),
  infer('infer', 'all as bytes', 'add_sub', {
    inputs: vectors(1),
    parameters: { binary_data_output: true },
  }),
  infer('infer', 'classification', 'add_sub', {
    inputs: [input('INPUT0', 'FP32', [1, 4], [3, 1, 4, 1]), ...vectors(1).slice(1)],
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 2 } }],
  }),
  ...TYPES.map(([type, values]) =>
    infer('types', `${type} and back`, 'types', {
      inputs: [input(`INPUT_${type}`, type, [values.length], values)],
      outputs: [{ name: `OUTPUT_${type}` }, { name: 'SEEN' }],
    }),
  ),
  infer('types', 'strings and back', 'types', {
    inputs: [input('INPUT_STRING', 'BYTES', [3], ['', 'ä€', 'x\ny'])],
    outputs: [{ name: 'OUTPUT_STRING' }, { name: 'SEEN' }],
  }),
  infer('types', 'all at once', 'types', {
    inputs: TYPES.map(([type, values]) => input(`INPUT_${type}`, type, [values.length], values)),
    outputs: [...TYPES.map(([type]) => ({ name: `OUTPUT_${type}` })), { name: 'SEEN' }],
  }),
  ...TYPES.map(([type]) =>
    infer('types', `${type} without elements`, 'types', {
      inputs: [input(`INPUT_${type}`, type, [0], [])],
      outputs: [{ name: `OUTPUT_${type}` }, { name: 'SEEN' }],
    }),
  ),
  binary(
    'FP16 and back',
    'types',
    {
      inputs: [sized('INPUT_FP16', 'FP16', [3], 6)],
      outputs: [{ name: 'OUTPUT_FP16', parameters: { binary_data: true } }, { name: 'SEEN' }],
    },
    Uint8Array.of(0, 60, 0, 188, 255, 123),
  ),
  binary(
    'BF16 and back',
    'bfloat',
    { inputs: [sized('INPUT0', 'BF16', [3], 6)], outputs: asBytes },
    Uint8Array.of(128, 63, 0, 192, 1, 2),
  ),
  binary(
    'BF16 without elements',
    'bfloat',
    { inputs: [sized('INPUT0', 'BF16', [0], 0)], outputs: asBytes },
    new Uint8Array(0),
  ),
  binary(
    'FP32 as bytes',
    'identity',
    { inputs: [sized('INPUT0', 'FP32', [3], 12)], outputs: asBytes },
    fp32(Number.NaN, Number.POSITIVE_INFINITY, -0),
  ),
  binary(
    '4,000 numbers',
    'identity',
    { inputs: [sized('INPUT0', 'FP32', [4_000], 16_000)] },
    fp32(...Array(4_000).fill(0.5)),
  ),
  binary('raw, without a head', 'identity', '', fp32(1, 2, 3), '0'),
  infer('infer', 'DLPack', 'dlpack', {
    inputs: [input('INPUT0', 'FP32', [2, 2], [1, 2, 3, 4])],
  }),
  infer('infer', 'strings of all kinds', 'strings', { inputs: [text(['a', '', 'ä€😀'])] }),
  infer('infer', 'no strings', 'strings', { inputs: [text([])] }),
  infer('infer', 'modules of the model', 'own_file', { inputs: [INT32('IN', 1)] }),
  infer('infer', 'arguments of initialize', 'arguments', { inputs: [INT32('IN', 1)] }),
  infer('infer', 'version 1', 'versions/versions/1', { inputs: [INT32('IN', 1)] }),
  infer('infer', 'version 2', 'versions/versions/2', { inputs: [INT32('IN', 1)] }),
  infer('infer', 'the latest version', 'versions', { inputs: [INT32('IN', 1)] }),
]
