import { type Call, call, numbers, stream, word } from './ask.ts'

const DECOUPLED = [
  'error_between',
  'error_at_the_end',
  'error_only',
  'empty',
  'none_without_final',
  'unknown_flags',
  'after_the_end',
  'raises',
  'raises_after_one',
  'returns_a_list',
  'wrong_name',
  'wrong_type',
]
const CODES = [
  'UNKNOWN',
  'INTERNAL',
  'NOT_FOUND',
  'INVALID_ARG',
  'UNAVAILABLE',
  'UNSUPPORTED',
  'ALREADY_EXISTS',
  'CANCELLED',
]
const final = { parameters: { triton_enable_empty_final_response: bool(true) } } as const

function bool(value: boolean) {
  return { parameterChoice: { case: 'boolParam', value } } as const
}

/** Calls and streams; a stream's answers are compared request by request. */
export const CALLS: readonly Call[] = [
  ...CODES.map((code) => call(`error of code ${code}`, word('error_codes', 'e', 'CODE', code))),
  call('an exception', word('misbehave', 'x', 'WHAT', 'raises')),
  call('a decoupled model by a call', numbers('square', 's', 'IN', [2])),
  stream('repeat', numbers('repeat', 'a', 'IN', [4, 2, 0, 1])),
  stream('repeat nothing', numbers('repeat', 'a', 'IN', [])),
  stream('repeat nothing, told the end', numbers('repeat', 'a', 'IN', [], final)),
  stream('repeat, told the end', numbers('repeat', 'a', 'IN', [7, 8], final)),
  stream(
    'repeat for three at once',
    numbers('repeat', 'a', 'IN', [1, 2, 3]),
    numbers('repeat', 'b', 'IN', [4]),
    numbers('repeat', 'c', 'IN', [5, 6]),
  ),
  stream('square', numbers('square', 'a', 'IN', [3]), numbers('square', 'b', 'IN', [1])),
  stream('square of nothing', numbers('square', 'a', 'IN', [0])),
  stream('square, told the end', numbers('square', 'a', 'IN', [2], final)),
  stream('square a hundred times', numbers('square', 'a', 'IN', [100])),
  stream('an ensemble of square', numbers('decoupled_chain', 'a', 'IN', [3])),
  ...DECOUPLED.map((name) =>
    stream(
      `decoupled: ${name.replaceAll('_', ' ')}`,
      word('decoupled_errors', 'd', 'WHAT', name, final),
    ),
  ),
  stream(
    'coroutines of two requests',
    numbers('async_repeat', 'a', 'IN', [1, 2, 3]),
    numbers('async_repeat', 'b', 'IN', [4, 5, 6]),
  ),
  stream('decoupled calls of a model', numbers('bls_decoupled', 'a', 'IN', [1, 2, 3])),
  stream(
    'a batch of four, one with an error',
    ...[1, 2, -3, 4].map((value, i) => numbers('batch', `r${i}`, 'IN', [value], {}, [1, 1])),
  ),
  // Of two at once the model would be shown rows of slots that wait, too, now or then.
  stream('iterations', numbers('iterate', 'a', 'IN', [3], {}, [1, 1])),
  stream('add_sub on a stream', numbers('add_sub', 'x', 'IN', [1])),
]
