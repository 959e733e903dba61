import { expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import type { SequenceInitialState, SequenceState } from '../../../core/config/types.ts'
import { readInitialStates } from '../../../core/model/initial-states.ts'

const STATE: SequenceState = {
  input_name: 'IN',
  output_name: 'OUT',
  data_type: 'TYPE_INT32',
  dims: [2],
}
const INITIAL: SequenceInitialState = { name: 'init', data_type: 'TYPE_INT32', dims: [2] }

function read(initial: readonly SequenceInitialState[], state: SequenceState = STATE, size = 4) {
  const bytes = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer)
  const store = memoryStore({
    files: new Map([
      ['m/initial_state/two', bytes(7, 8, 9)],
      ['m/initial_state/one', bytes(7)],
      ['m/initial_state/text', Uint8Array.of(1, 0, 0, 0, 97)],
    ]),
  })
  const log = { error() {}, warning() {}, info() {}, verbose() {} }
  const config = {
    max_batch_size: size,
    sequence_batching: { state: [{ ...state, initial_state: [...initial] }] },
  }
  const source = { name: 'm', version: 1, config, settings: new Map(), store, log }
  return readInitialStates({
    config,
    source: { ...source, modelPath: 'm', versionPath: 'm/1' },
  })
}

it('an initial state is zero or the beginning of a file, with the batch dimension in front', async () => {
  const zero = (await read([{ ...INITIAL, zero_data: true }])).get('IN')
  expect(zero).toEqual({
    name: 'IN',
    datatype: 'INT32',
    shape: [1, 2],
    data: new Uint8Array(8),
  })
  const filed = (await read([{ ...INITIAL, data_file: 'two' }], STATE, 0)).get('IN')
  expect(filed?.shape).toEqual([2])
  expect([...new Int32Array(filed?.data.slice().buffer ?? [])]).toEqual([7, 8])
})

it('a file gives strings as they are packed, zero gives empty ones', async () => {
  const state: SequenceState = { ...STATE, data_type: 'TYPE_STRING', dims: [1] }
  const initial: SequenceInitialState = { ...INITIAL, data_type: 'TYPE_STRING', dims: [1] }
  const filed = (await read([{ ...initial, data_file: 'text' }], state)).get('IN')
  expect([...(filed?.data ?? [])]).toEqual([1, 0, 0, 0, 97])
  const zero = (await read([{ ...initial, zero_data: true }], state)).get('IN')
  expect([...(zero?.data ?? [])]).toEqual([0, 0, 0, 0])
})

it('a free dimension of the state takes the initial one', async () => {
  const state = { ...STATE, dims: [-1] }
  expect(
    (await read([{ ...INITIAL, dims: [5], zero_data: true }], state)).get('IN')?.shape,
  ).toEqual([1, 5])
})

it('a state without one has none', async () => {
  expect((await read([])).size).toBe(0)
})

it.each<readonly [string, readonly SequenceInitialState[]]>([
  [
    "initial_state field for state input 'IN' must contain exactly one or zero element. Found '2' elements.",
    [INITIAL, INITIAL],
  ],
  [
    "The data type used for 'initial_state' field of state 'IN' does not match the state data type.",
    [{ ...INITIAL, data_type: 'TYPE_FP32', zero_data: true }],
  ],
  [
    "Field 'name' must be set when using initial_state for state input 'IN'.",
    [{ data_type: 'TYPE_INT32', dims: [2], zero_data: true }],
  ],
  [
    "Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions for state input 'IN'. 2 != 1",
    [{ ...INITIAL, dims: [2, 1], zero_data: true }],
  ],
  [
    "'initial_state' field for state input name 'IN' contains variable dimensions.",
    [{ ...INITIAL, dims: [-1], zero_data: true }],
  ],
  [
    "'initial_state' dim for input name 'IN' doesn't match 'state' dim description. 3 != 2",
    [{ ...INITIAL, dims: [3], zero_data: true }],
  ],
  [
    'initial_state setting expects 8 bytes, but the data provided from oneonly has 4 bytes.',
    [{ ...INITIAL, data_file: 'one' }],
  ],
  ["initial_state setting expects state'IN' to have state_data set", [INITIAL]],
])('a config is refused with: %s', async (text, initial) => {
  await expect(read(initial)).rejects.toThrow(text)
})

it('a file that is not there, or outside the folder, is an error', async () => {
  await expect(read([{ ...INITIAL, data_file: 'none' }])).rejects.toThrow('none')
  await expect(read([{ ...INITIAL, data_file: '../../x' }])).rejects.toThrow(/path segment|invalid/)
})
