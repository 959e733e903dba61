import { expect, it } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { decodeInferRequest } from '../../../../core/protocol/rest/decode-request.ts'
import { encodeInferResponse } from '../../../../core/protocol/rest/infer-response.ts'
import { byteSize } from '../../../../core/tensor.ts'
import { fakeModel, text, utf8 } from './fake-server.ts'

const MUTATIONS = 120_000
const SEED = 20261121

/** A small generator with a fixed seed (mulberry32), so that a failure can be had again. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const CORPUS: Uint8Array[] = [
  { inputs: [{ name: 'A', datatype: 'FP32', shape: [1, 4], data: [1, -2.5, 3e2, 0.1] }] },
  {
    id: 'x"é',
    inputs: [{ name: 'A', datatype: 'BYTES', shape: [2], data: ['a\\u0041', '\n\ud83d\ude00'] }],
  },
  { inputs: [{ name: 'A', datatype: 'INT64', shape: [1, 2], data: [[1], [-(2 ** 53)]] }] },
  {
    inputs: [{ data: [true, false], shape: [2], datatype: 'BOOL', name: 'A' }],
    parameters: { p: 1.5 },
  },
  {
    inputs: [
      { name: 'A', datatype: 'UINT8', shape: [3], parameters: { binary_data_size: 3 } },
      { name: 'B', datatype: 'BF16', shape: [2, 1], parameters: { binary_data_size: 4 } },
    ],
    outputs: [
      { name: 'O', parameters: { binary_data: true } },
      { name: 'P', parameters: { classification: 2 } },
    ],
    parameters: {
      sequence_id: 5,
      sequence_start: true,
      priority: 1,
      timeout: 10,
      binary_data_output: true,
    },
  },
  { inputs: [], outputs: [{ name: 'O', parameters: { shared_memory_region: 'r' } }] },
].map((value) => new Uint8Array([...utf8(JSON.stringify(value)), 1, 2, 3, 4, 5, 6, 7]))

const PIECES = [
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '"',
  '\\',
  '\\u',
  '\\ud800',
  '0',
  '-',
  '.',
  'e',
  'E+',
  '1e999',
  '-0',
  'NaN',
  '-Inf',
  'null',
  'true',
  '18446744073709551615',
  '9223372036854775808',
  '4294967296',
  '-1',
  '1e5',
  '[[[[',
  '{"a":',
  '"inputs"',
  '"data"',
  '"shape"',
  '"parameters"',
  '"binary_data_size"',
  '__proto__',
  '\0',
  '\u00ff',
  ' ',
  '\n',
].map(utf8)

function mutate(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  let list = [...bytes]
  for (let n = pick(4); n >= 0; n--) {
    const at = pick(list.length + 1)
    const piece = PIECES[pick(PIECES.length)]!
    const length = pick(12)
    switch (pick(6)) {
      case 0:
        list[at] = pick(256)
        break
      case 1:
        list.splice(at, length)
        break
      case 2:
        list.splice(at, 0, ...piece)
        break
      case 3:
        list.splice(at, piece.length, ...piece)
        break
      case 4:
        list.splice(at, 0, ...list.slice(pick(list.length + 1)).slice(0, length * 4))
        break
      default:
        if (pick(8) === 0) list = list.slice(0, at)
    }
  }
  return Uint8Array.from(list.map((byte) => byte ?? 0))
}

it(`${MUTATIONS} mutated requests are decoded or refused with a ServerError, seed ${SEED}`, () => {
  const pick = random(SEED)
  const model = fakeModel()
  const limits = { ...DEFAULT_PROTOCOL_LIMITS, jsonValues: 2000 }
  let decoded = 0
  const heads = CORPUS.map((bytes) => bytes.length - 7)
  for (let i = 0; i < MUTATIONS; i++) {
    const which = pick(CORPUS.length)
    const body = mutate(CORPUS[which]!, pick)
    const length = [undefined, 0, heads[which]!, pick(body.length + 2), body.length - 7][pick(5)]
    try {
      const { options, format } = decodeInferRequest(body, length, model, limits)
      decoded++
      for (const { datatype, shape, data } of options.inputs) {
        const size = byteSize(datatype, shape)
        if (length === undefined && size >= 0) expect(data.length).toBe(size)
        // Whatever a request holds, no more memory than a few times its size stands behind it.
        expect(data.buffer.byteLength).toBeLessThanOrEqual(8 * body.length + 1024)
      }
      encodeInferResponse({
        model,
        id: options.id ?? '',
        format,
        response: { outputs: [] },
        limits,
      })
    } catch (error) {
      if (!(error instanceof ServerError) || error.code === 'INTERNAL') {
        throw new Error(`${length} ${text(body)}`, { cause: error })
      }
    }
  }
  // The mutations are gentle enough that the deep parts are reached.
  expect(decoded).toBeGreaterThan(MUTATIONS / 50)
}, 60_000)
