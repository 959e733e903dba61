import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../../core/errors.ts'
import type { InferRequest, ResponseSink } from '../../../../core/infer.ts'
import { InferMemo } from '../../../../core/protocol/grpc/infer-memo.ts'
import { MEMO_ENTRIES, MEMO_KEY_BYTES } from '../../../../core/protocol/grpc/memo-entries.ts'
import { DEFAULT_PROTOCOL_LIMITS as LIMITS } from '../../../../core/protocol/limits.ts'
import type { ServedModel } from '../../../../core/server-types.ts'
import { type FakeModelOptions, fakeModel } from '../rest/fake-server.ts'
import { fakeSharedMemory } from './fake-shared-memory.ts'
import { failure, request } from './schema.ts'

type Fields = Record<string, unknown>

const sink: ResponseSink = { answer: () => undefined }

/** A memo over one model `m` with inputs A and B, whose check is counted. */
function setUp(options: FakeModelOptions & { checksContent?: boolean } = {}) {
  const state = { generation: 1, checks: 0, lookups: 0 }
  const model: ServedModel = {
    ...fakeModel({ name: 'm', ...options }),
    checksContent: options.checksContent ?? false,
    check(checked: InferRequest) {
      state.checks++
      for (const { name, data } of checked.inputs) {
        if (data.length !== 4) throw new ServerError('INVALID_ARG', `size of '${name}'`)
      }
      checked.inputs = [...checked.inputs].sort((a, b) => (a.name < b.name ? -1 : 1))
      checked.batchSize = 2
    },
  }
  const server = {
    get generation() {
      return state.generation
    },
    model(name: string, version: string): ServedModel {
      state.lookups++
      if (name === 'm' && (version === '' || version === '1')) return model
      throw new ServerError('NOT_FOUND', `no '${name}' '${version}'`)
    },
  }
  const { sharedMemory, state: leases } = fakeSharedMemory()
  const make = (): InferMemo => new InferMemo({ server, limits: LIMITS, sharedMemory })
  const memo = make()
  const ask = (message: Uint8Array, stream = false, one: InferMemo = memo) =>
    one.bind(one.read(message), { owner: '', sink, stream })
  return { state, memo, ask, make, model, leases }
}

const input = (name: string, fields: Fields = {}): Fields => ({
  name,
  datatype: 'INT32',
  shape: [1, 1],
  ...fields,
})
const raw = (fill: number, size = 4): Uint8Array => new Uint8Array(size).fill(fill)
const plain = (fields: Fields = {}): Uint8Array =>
  request({
    model_name: 'm',
    inputs: [input('B'), input('A')],
    raw_input_contents: [raw(1), raw(2)],
    ...fields,
  })
const seen = ({
  request: r,
  outputs,
  emptyFinal,
}: ReturnType<ReturnType<typeof setUp>['ask']>) => ({
  id: r.id,
  inputs: r.inputs.map((one) => ({ ...one, data: [...one.data] })),
  outputNames: r.outputs,
  parameters: r.parameters,
  priority: r.priority,
  timeoutUs: r.timeoutUs,
  sequenceId: r.sequenceId,
  batchSize: r.batchSize,
  outputs,
  emptyFinal,
})

describe('a repeated request', () => {
  it('is what it would be without a memo, and is not checked again', () => {
    const { ask, make, state } = setUp()
    const parameters = {
      priority: { int64_param: 3 },
      timeout: { int64_param: 9 },
      triton_enable_empty_final_response: { bool_param: true },
    }
    const outputs = [{ name: 'O', parameters: { classification: { int64_param: 2 } } }]
    ask(plain({ parameters, outputs }))
    expect(state.checks).toBe(1)
    for (const [id, fill] of [
      ['', 3],
      ['7', 4],
      ['é'.repeat(40), 5],
      ['x'.repeat(LIMITS.idBytes), 6],
    ] as const) {
      const message = plain({ id, parameters, outputs, raw_input_contents: [raw(fill), raw(0)] })
      const recalled = ask(message)
      expect(state.checks).toBe(1)
      expect(recalled.memo).not.toBeNull()
      expect(seen(recalled)).toEqual(seen(ask(message, false, make())))
      expect(recalled.request.inputs.map(({ name, data }) => [name, data[0]])).toEqual([
        ['A', 0],
        ['B', fill],
      ])
      expect(recalled.request.inputs[0]?.data.buffer).toBe(message.buffer)
      state.checks = 1
    }
  })

  it('is known between requests of other shapes and models’ versions', () => {
    const { ask, state } = setUp()
    const kinds = [
      plain(),
      plain({ model_version: '1' }),
      plain({ inputs: [input('B', { shape: [1] }), input('A')] }),
    ]
    for (const kind of kinds) ask(kind)
    for (let i = 0; i < 3; i++) for (const kind of kinds) ask(kind)
    expect(state.checks).toBe(3)
  })

  it('is read in full when its tensors have other sizes', () => {
    const { ask } = setUp()
    ask(plain())
    expect(failure(() => ask(plain({ raw_input_contents: [raw(1, 3), raw(2)] })))).toBe(
      "INVALID_ARG: size of 'B'",
    )
    expect(failure(() => ask(plain({ raw_input_contents: [raw(1)] })))).toContain(
      "unable to find data for input tensor 'A'",
    )
  })

  it('is read in full when its id is too long, or no text', () => {
    const { ask, memo } = setUp()
    ask(plain())
    const long = plain({ id: 'x'.repeat(LIMITS.idBytes + 1) })
    expect(failure(() => ask(long))).toContain('the limit is 1024')
    const bad = plain({ id: 'x' })
    bad[bad.indexOf('x'.charCodeAt(0))] = 0xff
    expect(failure(() => memo.read(bad))).toMatch(/^ProtoError/)
  })

  it('has its meaning whatever the order of its fields', () => {
    const { ask, make } = setUp()
    ask(plain())
    const outputs = request({ outputs: [{ name: 'O' }] })
    const id = (text: string): Uint8Array => request({ id: text })
    for (const pieces of [
      [plain(), outputs],
      [outputs, plain()],
      [id('1'), plain({ id: '2' })],
      [plain(), id('3')],
      [id('4'), outputs, id('5'), plain()],
    ]) {
      const message = new Uint8Array(Buffer.concat(pieces))
      const expected = seen(ask(message, false, make()))
      expect(seen(ask(message))).toEqual(expected)
      expect(seen(ask(message))).toEqual(expected)
    }
  })

  it('is looked up again when the models changed, also between its two steps', () => {
    const { ask, memo, state } = setUp()
    ask(plain())
    state.generation++
    ask(plain())
    ask(plain())
    expect([state.checks, memo.size]).toEqual([2, 1])
    const read = memo.read(plain())
    state.generation++
    memo.bind(read, { owner: '', sink, stream: false })
    expect([state.checks, state.lookups]).toEqual([3, 3])
  })
})

describe('is never remembered:', () => {
  const region = {
    shared_memory_region: { string_param: 'r' },
    shared_memory_byte_size: { int64_param: 4 },
  }
  const int = (value: number): Fields => ({ int64_param: value })

  it.each<[string, Fields]>([
    ['a sequence', { parameters: { sequence_id: int(1) } }],
    ['a sequence’s start', { parameters: { sequence_start: { bool_param: true } } }],
    ['a parameter for the backend', { parameters: { p: int(1) } }],
    [
      'typed contents',
      { inputs: [input('A', { contents: { int_contents: [1] } })], raw_input_contents: [] },
    ],
    [
      'an input in shared memory',
      { inputs: [input('A', { parameters: region }), input('B')], raw_input_contents: [raw(1)] },
    ],
    ['an output in shared memory', { outputs: [{ name: 'O', parameters: region }] }],
    ['more raw tensors than inputs', { raw_input_contents: [raw(1), raw(2), raw(3)] }],
    ['a key that is too long', { outputs: [{ name: 'x'.repeat(MEMO_KEY_BYTES) }] }],
  ])('%s', (_, fields) => {
    const { ask, memo, state } = setUp()
    for (let i = 0; i < 2; i++) {
      ask(plain(fields)).lease?.close()
    }
    expect([memo.size, state.checks]).toEqual([0, 2])
  })

  it('a request whose check looks at the bytes', () => {
    const { ask, memo } = setUp({ checksContent: true })
    ask(plain())
    expect(memo.size).toBe(0)
  })

  it('a request that is wrong', () => {
    const { ask, memo, leases } = setUp()
    const wrong = plain({
      inputs: [input('A', { parameters: { ...region, shared_memory_byte_size: int(5) } })],
    })
    expect(failure(() => ask(wrong))).toBe("INVALID_ARG: size of 'A'")
    expect(failure(() => ask(plain({ model_name: 'x' })))).toBe("NOT_FOUND: no 'x' ''")
    expect([memo.size, leases.open]).toEqual([0, 0])
  })
})

describe('the memo', () => {
  it('is bounded', () => {
    const { ask, memo } = setUp()
    for (let i = 0; i < MEMO_ENTRIES + 50; i++) {
      ask(plain({ parameters: { timeout: { int64_param: i } } }))
    }
    expect(memo.size).toBe(MEMO_ENTRIES)
  })

  it('says whom a request concerns before anything is looked up', () => {
    const { memo, ask, state } = setUp()
    const named = { model_name: 'x', model_version: 'abc', id: '7', parameters: { triton_a: {} } }
    expect(memo.read(plain(named))).toMatchObject({ modelName: 'x', modelVersion: 'abc', id: '7' })
    ask(plain({ id: '8' }))
    expect(memo.read(plain({ id: '9' }))).toMatchObject({
      modelName: 'm',
      modelVersion: '',
      id: '9',
    })
    expect(state.lookups).toBe(1)
  })

  it('shares what is known of a model’s answers, unless classes or regions are asked for', () => {
    const { ask } = setUp({ checksContent: true })
    const { memo } = ask(plain())
    expect(memo).not.toBeNull()
    expect(ask(plain({ outputs: [{ name: 'O' }] })).memo).toBe(memo)
    const classes = { classification: { int64_param: 1 } }
    expect(ask(plain({ outputs: [{ name: 'O', parameters: classes }] })).memo).toBeNull()
    const parameters = {
      shared_memory_region: { string_param: 'r' },
      shared_memory_byte_size: { int64_param: 4 },
    }
    expect(ask(plain({ outputs: [{ name: 'O', parameters }] })).memo).toBeNull()
  })

  it('tells of the version first, then of the model, then of what the request says', () => {
    const { ask } = setUp()
    const bad = { triton_a: {} }
    expect(failure(() => ask(plain({ model_version: 'x', model_name: 'x' })))).toBe(
      "INVALID_ARG: failed to get model version from specified version string 'x' (details: stol), version should be an integral value > 0",
    )
    expect(failure(() => ask(plain({ model_name: 'x', parameters: bad })))).toBe(
      "NOT_FOUND: no 'x' ''",
    )
    expect(failure(() => ask(plain({ parameters: bad })))).toContain('reserved for Triton usage')
  })

  it('refuses decoupled models outside streams, known or not', () => {
    const { ask } = setUp({ decoupled: true })
    const refusal =
      "UNSUPPORTED: ModelInfer RPC doesn't support models with decoupled transaction policy"
    expect(failure(() => ask(plain()))).toBe(refusal)
    ask(plain(), true)
    expect(failure(() => ask(plain()))).toBe(refusal)
  })
})
