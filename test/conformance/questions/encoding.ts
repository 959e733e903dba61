import { deflateSync, gzipSync } from 'node:zlib'
import {
  addsub,
  binary,
  binaryOut,
  encoded,
  infer,
  input,
  int32,
  int32Text,
  JSON_TYPE,
  ONES,
  one,
  type Question,
} from './question.ts'

const GZIP = { 'Content-Encoding': 'gzip' }
export const encodings: readonly Question[] = [
  encoded('gzip request', GZIP, gzipSync(int32Text)),
  encoded('gzip both ways', { ...GZIP, 'Accept-Encoding': 'gzip' }, gzipSync(int32Text)),
  encoded(
    'deflate both ways',
    { 'Content-Encoding': 'deflate', 'Accept-Encoding': 'deflate' },
    deflateSync(int32Text),
  ),
  encoded('identity request', { 'Content-Encoding': 'identity' }, int32Text),
  encoded('accepts gzip and deflate', { 'Accept-Encoding': 'gzip, deflate' }, int32Text),
  encoded('accepts deflate and gzip', { 'Accept-Encoding': 'deflate, gzip' }, int32Text),
  encoded('accepts br', { 'Accept-Encoding': 'br' }, int32Text),
  encoded('accepts identity', { 'Accept-Encoding': 'identity' }, int32Text),
  encoded('accepts with weights', { 'Accept-Encoding': 'gzip;q=0.5, deflate;q=0.8' }, int32Text),
  { ...encoded('gzip cut short', GZIP, gzipSync(int32Text).subarray(0, 40)), compare: 'status' },
  {
    ...binary(
      'gzip answer with a tail',
      'addsub_int32',
      { outputs: binaryOut, ...int32 },
      new Uint8Array(0),
    ),
    headers: { ...JSON_TYPE, 'Accept-Encoding': 'gzip' },
  },
]

const classified = (name: string, model: string, classification: unknown, more: object = {}) =>
  infer('infer', name, model, {
    inputs: addsub(model === 'labeled' ? 'FP32' : 'INT32', 2),
    outputs: [{ name: 'OUTPUT0', parameters: { classification, ...more } }],
  })
// Not asked: classification of BYTES, which ends the process of Triton 2.51.
export const classes: readonly Question[] = [
  classified('class of two rows', 'labeled', 2),
  classified('class more than there are', 'labeled', 99),
  classified('class of integers', 'addsub_int32', 1),
  classified('class binary', 'labeled', 1, { binary_data: true }),
  classified('class zero', 'labeled', 0),
  classified('class is a string', 'labeled', '1'),
  infer('infer', 'class equal scores', 'labeled', {
    inputs: [input('INPUT0', 'FP32', [1, 16], ONES), input('INPUT1', 'FP32', [1, 16], ONES)],
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 3 } }],
  }),
  infer('infer', 'class of booleans', 'identity_bool', {
    ...one('BOOL', [false, true, false]),
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 1 } }],
  }),
]
