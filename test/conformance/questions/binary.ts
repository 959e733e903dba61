import {
  addsub,
  binary,
  binaryOut,
  floats,
  input,
  ints,
  one,
  type Question,
  RANGE,
  sized,
  strings,
} from './question.ts'

/** Tensors behind the JSON head. */
export const binaries: readonly Question[] = [
  binary(
    'bin two rows',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [2, 2], 16)], outputs: binaryOut },
    floats(1, 2, 3, 4),
  ),
  binary(
    'bin infinities to bin',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], 12)], outputs: binaryOut },
    floats(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN),
  ),
  binary(
    'bin no columns',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 0], 0)], outputs: binaryOut },
    floats(),
  ),
  binary(
    'bin short by one',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], 12)] },
    floats(1, 2, 3).subarray(0, 11),
  ),
  binary(
    'bin size too small',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], 8)] },
    floats(1, 2),
  ),
  binary(
    'bin size too large',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], 16)] },
    floats(1, 2, 3, 4),
  ),
  binary(
    'bin size is a string',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], '12')] },
    floats(1, 2, 3),
  ),
  binary(
    'bin size is negative',
    'identity_fp32',
    { inputs: [sized('INPUT0', 'FP32', [1, 3], -12)] },
    floats(1, 2, 3),
  ),
  binary(
    'bin size missing',
    'identity_fp32',
    { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 3] }] },
    floats(1, 2, 3),
  ),
  binary(
    'bin and json inputs',
    'addsub_int32',
    { inputs: [sized('INPUT0', 'INT32', [1, 16], 64), addsub('INT32')[1]] },
    ints(RANGE),
  ),
  binary(
    'json and bin inputs',
    'addsub_int32',
    { inputs: [addsub('INT32')[0], sized('INPUT1', 'INT32', [1, 16], 64)] },
    ints(RANGE),
  ),
  binary(
    'bin data and size',
    'identity_fp32',
    {
      inputs: [
        { ...input('INPUT0', 'FP32', [1, 3], [9, 9, 9]), parameters: { binary_data_size: 12 } },
      ],
    },
    floats(1, 2, 3),
  ),
  binary(
    'header longer than the body',
    'identity_fp32',
    one('FP32', [1, 2, 3]),
    new Uint8Array(0),
    '100000',
  ),
  binary(
    'header length is no number',
    'identity_fp32',
    one('FP32', [1, 2, 3]),
    new Uint8Array(0),
    'abc',
  ),
  binary(
    'header length is negative',
    'identity_fp32',
    one('FP32', [1, 2, 3]),
    new Uint8Array(0),
    '-1',
  ),
  binary('header cut short', 'identity_fp32', one('FP32', [1, 2, 3]), new Uint8Array(0), '20'),
  binary('json only with a length', 'identity_fp32', one('FP32', [1, 2, 3]), new Uint8Array(0)),
  binary(
    'bin strings',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 3], 17)], outputs: binaryOut },
    strings('', 'ab', 'cde'),
  ),
  binary(
    'bin strings to json',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 3], 17)] },
    strings('', 'ab', 'cde'),
  ),
  binary(
    'bin strings too few',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 3], 10)] },
    strings('a', 'b'),
  ),
  binary(
    'bin strings too many',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 1], 10)] },
    strings('a', 'b'),
  ),
  binary(
    'bin strings cut in a length',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 2], 7)] },
    strings('a', 'b').subarray(0, 7),
  ),
  binary(
    'bin strings length beyond the end',
    'identity_string',
    { inputs: [sized('INPUT0', 'BYTES', [1, 1], 5)] },
    Uint8Array.of(200, 0, 0, 0, 65),
  ),
  binary(
    'bin fp16 to json',
    'identity_fp16',
    { inputs: [sized('INPUT0', 'FP16', [1, 2], 4)] },
    Uint8Array.of(0, 60, 0, 64),
  ),
  binary(
    'bin batch mismatch',
    'addsub_int32',
    { inputs: [sized('INPUT0', 'INT32', [1, 16], 64), sized('INPUT1', 'INT32', [2, 16], 128)] },
    ints([...RANGE, ...RANGE, ...RANGE]),
  ),
  binary(
    'bin reshape',
    'reshape',
    { inputs: [sized('INPUT0', 'FP32', [2, 6], 48)], outputs: binaryOut },
    floats(...RANGE.slice(0, 12)),
  ),
]

const raw = (name: string, model: string, body: Uint8Array, length = '0'): Question => ({
  ...binary(name, model, '', body, length),
  group: 'binary',
})
export const raws: readonly Question[] = [
  raw('raw fixed shape', 'auto_nobatch', floats(1, -2, 3, -4, 5, -6)),
  raw('raw fixed shape too short', 'auto_nobatch', floats(1, 2)),
  raw('raw fixed shape too long', 'auto_nobatch', floats(1, 2, 3, 4, 5, 6, 7)),
  raw('raw one variable dimension', 'identity_fp32', floats(1, 2, 3)),
  raw('raw not a whole element', 'identity_fp32', floats(1, 2).subarray(0, 7)),
  raw('raw reshape', 'reshape', floats(1, 2, 3, 4, 5, 6)),
  raw('raw string', 'identity_string', Buffer.from('hello')),
  raw('raw empty', 'identity_fp32', new Uint8Array(0)),
  raw('raw two inputs', 'addsub_int32', ints(RANGE)),
]
