import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import { decodeInferRequest } from '../../../../core/protocol/grpc/decode-infer.ts'
import { InferMemo } from '../../../../core/protocol/grpc/infer-memo.ts'
import { ProtoError } from '../../../../core/protocol/grpc/proto-error.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import { fakeModel } from '../rest/fake-server.ts'
import { fakeSharedMemory } from './fake-shared-memory.ts'
import { request } from './schema.ts'

const MUTATIONS = 100_000
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

const parameters = {
  sequence_id: { string_param: 'é' },
  p: { double_param: 1 },
  q: { uint64_param: '18446744073709551615' },
  shared_memory_region: { string_param: 'r' },
  shared_memory_byte_size: { int64_param: 4 },
}
const input = { name: 'A', datatype: 'INT32', shape: [1, 2] }
const CORPUS: Uint8Array[] = [
  request({ model_name: 'm', id: 'é1', inputs: [input], raw_input_contents: [new Uint8Array(8)] }),
  request({ model_name: 'm', inputs: [{ ...input, contents: { int_contents: [1, -1] } }] }),
  request({
    inputs: [{ ...input, datatype: 'BYTES', contents: { bytes_contents: [new Uint8Array(3)] } }],
  }),
  request({ inputs: [{ ...input, datatype: 'FP64', contents: { fp64_contents: [1, 2] } }] }),
  request({
    parameters,
    inputs: [{ ...input, parameters }],
    outputs: [{ name: 'X', parameters }, { name: 'X' }],
  }),
]
const recorded: { method: string; request_base64: string }[] = JSON.parse(
  readFileSync(new URL('../../../fixtures/recorded/grpc.json', import.meta.url), 'utf8'),
)
for (const one of recorded) {
  if (one.method === 'ModelInfer')
    CORPUS.push(new Uint8Array(Buffer.from(one.request_base64, 'base64')))
}
const EDGES = [0, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x03, 0x0b, 0x0c]

function mutate(seed: Uint8Array, pick: (below: number) => number): Uint8Array {
  let bytes = [...seed]
  for (let changes = 1 + pick(4); changes > 0 && bytes.length > 0; changes--) {
    const at = pick(bytes.length)
    const kind = pick(6)
    if (kind === 0) bytes[at] = pick(256)
    else if (kind === 1) bytes[at] = EDGES[pick(EDGES.length)] as number
    else if (kind === 2) bytes.splice(at, 1 + pick(8))
    else if (kind === 3) bytes.splice(at, 0, EDGES[pick(EDGES.length)] as number)
    else if (kind === 4) bytes = bytes.slice(0, at)
    else bytes.splice(at, 0, ...bytes.slice(pick(bytes.length)).slice(0, 20))
  }
  return Uint8Array.from(bytes)
}

/** What becomes of a message: its options, or what was said about it. */
function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (error instanceof ServerError || error instanceof ProtoError) return error.message
    throw error
  }
}

it(`${MUTATIONS} broken messages end in an answer or a known error, with and without a memo (seed ${SEED})`, () => {
  const pick = random(SEED)
  const { sharedMemory, state } = fakeSharedMemory()
  const model = fakeModel({ name: 'm' })
  const server = { generation: 1, model: () => model }
  const memo = new InferMemo({ server, limits: LIMITS, sharedMemory })
  const sink = { answer: () => undefined }
  let accepted = 0
  for (let i = 0; i < MUTATIONS; i++) {
    const message = mutate(CORPUS[pick(CORPUS.length)] as Uint8Array, pick)
    const plain = outcome(() => {
      const { lease, options } = decodeInferRequest(message, {
        limits: LIMITS,
        sharedMemory,
        owner: '',
      })
      lease?.close()
      return options.inputs
    })
    const remembered = outcome(() => {
      const { lease, request } = memo.bind(memo.read(message), { owner: '', sink, stream: true })
      lease?.close()
      return request.inputs
    })
    if (Array.isArray(plain)) accepted++
    expect(remembered).toEqual(plain)
  }
  expect(state.open).toBe(0)
  // Were all refused, nothing beyond the first check would have been tried.
  expect(accepted).toBeGreaterThan(MUTATIONS / 50)
})
