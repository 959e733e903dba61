import { gzipSync } from 'node:zlib'
import type { Question } from './client.ts'

/** A request that has to fail, and how. */
export interface Failure {
  readonly name: string
  readonly question: Question
  readonly status: number
}

const ROW = '[1,2,3,4]'
const body = (input: string, rest = ''): string => `{"inputs":[${input}]${rest}}`
const input = (shape: string, data: string, datatype = 'INT64', name = 'X'): string =>
  `{"name":"${name}","datatype":"${datatype}","shape":${shape},"data":${data}}`
const GOOD = input('[1,4]', ROW)
const BOMB_BYTES = 20_000_000

/** One request of every kind that fails, against `model`. */
export function failures(model: string): readonly Failure[] {
  const path = `/v2/models/${model}/infer`
  const infer = (name: string, text: string | Uint8Array, headers = {}): Failure => ({
    name,
    question: { path, body: text, headers },
    status: 400,
  })
  const repository = '/v2/repository/models'
  return [
    infer('no body', ''),
    infer('no JSON', 'hello'),
    infer('half a JSON', body(GOOD).slice(0, 40)),
    infer('no inputs', '{"inputs":[]}'),
    infer('nested too deeply', body(input('[1,4]', '['.repeat(1_000) + ']'.repeat(1_000)))),
    infer('another datatype', body(input('[1,4]', ROW, 'FP32'))),
    infer('no datatype of ours', body(input('[1,4]', ROW, 'INT65'))),
    infer('an unknown input', body(input('[1,4]', ROW, 'INT64', 'Z'))),
    infer('another shape', body(input('[1,5]', '[1,2,3,4,5]'))),
    infer('a batch that is too large', body(input('[9,4]', `[${'1,'.repeat(35)}1]`))),
    infer('fewer values than the shape says', body(input('[1,4]', '[1,2]'))),
    infer('a negative dimension', body(input('[-1,4]', ROW))),
    infer('a size beyond 64 bits', body(input('[4294967296,4294967296]', ROW))),
    infer('a value beyond 64 bits', body(input('[1,4]', '[1,2,3,1e300]'))),
    infer('an unknown output', body(GOOD, ',"outputs":[{"name":"Z"}]')),
    infer('a header length beyond the body', body(GOOD), {
      'inference-header-content-length': '100000',
    }),
    infer('a body that is no gzip', body(GOOD), { 'content-encoding': 'gzip' }),
    infer('a gzip bomb', gzipSync(Buffer.alloc(BOMB_BYTES)), { 'content-encoding': 'gzip' }),
    {
      name: 'an unknown model',
      question: { path: '/v2/models/nobody/infer', body: body(GOOD) },
      status: 404,
    },
    {
      name: 'an unknown version',
      question: { path: `/v2/models/${model}/versions/99/infer`, body: body(GOOD) },
      status: 404,
    },
    { name: 'an unknown path', question: { path: '/v2/nothing', method: 'GET' }, status: 404 },
    {
      name: 'loading an unknown model',
      question: { path: `${repository}/nobody/load`, body: '' },
      status: 500,
    },
    {
      name: 'loading a path',
      question: { path: `${repository}/..%2f..%2fetc/load`, body: '' },
      status: 400,
    },
  ]
}
