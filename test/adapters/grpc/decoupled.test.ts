import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import { echoRequest, RawClient } from '../../helpers/grpc-client.ts'
import { ECHO_CONFIG } from '../../helpers/serve.ts'
import { type ServingGrpc, serveGrpc } from '../../helpers/serve-grpc.ts'
import { until } from '../../helpers/until.ts'

const REPEAT = `
backend: "repeat"
max_batch_size: 0
model_transaction_policy { decoupled: true }
input [
  { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
  { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] }
]
output [
  { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] }
]
instance_group [ { count: 4 kind: KIND_CPU } ]
`

/** The same as an ensemble of one step. */
const WRAPPED = `
platform: "ensemble"
${REPEAT.slice(REPEAT.indexOf('max_batch_size'), REPEAT.indexOf('instance_group'))}
ensemble_scheduling { step [ {
  model_name: "repeat" model_version: -1
  input_map [ { key: "IN" value: "IN" }, { key: "DELAY" value: "DELAY" }, { key: "WAIT" value: "WAIT" } ]
  output_map [ { key: "OUT" value: "OUT" }, { key: "IDX" value: "IDX" } ]
} ] }
`

let serving: ServingGrpc
let client: RawClient

beforeEach(async () => {
  serving = await serveGrpc({
    models: { repeat: REPEAT, echo: ECHO_CONFIG },
    backend: { paused: true },
    backends: [repeatBackend({ clock: nodeClock() })],
  })
  client = new RawClient(serving.target)
})
afterEach(async () => {
  client.close()
  await serving.close()
})

const bytes = (values: readonly number[]): Uint8Array =>
  new Uint8Array(new Int32Array(values).buffer)

function repeatRequest(id: string, values: readonly number[], delayMs = 0, empty = false) {
  const { length } = values
  return {
    modelName: 'repeat',
    id,
    inputs: [
      { name: 'IN', datatype: 'INT32', shape: [BigInt(length)] },
      { name: 'DELAY', datatype: 'UINT32', shape: [BigInt(length)] },
      { name: 'WAIT', datatype: 'UINT32', shape: [1n] },
    ],
    rawInputContents: [bytes(values), bytes(values.map(() => delayMs)), bytes([0])],
    parameters: empty
      ? {
          triton_enable_empty_final_response: {
            parameterChoice: { case: 'boolParam' as const, value: true },
          },
        }
      : {},
  }
}

const isFinal = (answer: { inferResponse?: { parameters: Record<string, unknown> } | undefined }) =>
  answer.inferResponse?.parameters['triton_final_response']

describe('a decoupled model', () => {
  it('is refused by ModelInfer in the words of Triton', async () => {
    expect(await client.infer(repeatRequest('1', [1]))).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: "ModelInfer RPC doesn't support models with decoupled transaction policy",
    })
  })

  it('sends its answers as they come, none of them the last, and no empty one', async () => {
    const stream = client.inferStream()
    stream.send(repeatRequest('a', [10, 20, 30]))
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
    const values = stream.answers.map(({ inferResponse }) => {
      const index = inferResponse?.outputs.findIndex(({ name }) => name === 'OUT') ?? -1
      return Buffer.from(inferResponse?.rawOutputContents[index] ?? []).readInt32LE()
    })
    expect(values).toEqual([10, 20, 30])
    for (const answer of stream.answers) {
      expect(isFinal(answer)).toMatchObject({ parameterChoice: { value: false } })
    }
  })

  it('ends with an empty answer where the request asks for it, also when there is nothing else', async () => {
    const stream = client.inferStream()
    stream.send(repeatRequest('a', [10], 0, true))
    stream.send(repeatRequest('b', [], 0, true))
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
    const ofA = stream.answers.filter(({ inferResponse }) => inferResponse?.id === 'a')
    const ofB = stream.answers.filter(({ inferResponse }) => inferResponse?.id === 'b')
    expect([ofA.length, ofB.length]).toEqual([2, 1])
    for (const last of [ofA[1]!, ofB[0]!]) {
      expect(isFinal(last)).toMatchObject({ parameterChoice: { value: true } })
      expect(last.inferResponse).toMatchObject({ modelName: 'repeat', outputs: [] })
    }
  })

  it('waits neither for requests of other models nor for its own others', async () => {
    const stream = client.inferStream()
    stream.send(echoRequest([1], { id: 'echo' }))
    stream.send(repeatRequest('slow', [1, 2, 3], 30))
    stream.send(repeatRequest('fast', [1]))
    await stream.received(4)
    const ids = stream.answers.map(({ inferResponse }) => inferResponse?.id)
    expect(ids.indexOf('fast')).toBeLessThan(ids.lastIndexOf('slow'))
    expect(ids).not.toContain('echo')
    serving.backend.instances[0]!.finish()
    await stream.received(5)
    stream.end()
    expect((await stream.status).code).toBe(status.OK)
  })

  it('stops when the client leaves', async () => {
    const stream = client.inferStream()
    stream.send(
      repeatRequest(
        'a',
        Array.from({ length: 10_000 }, (_, i) => i),
        5,
      ),
    )
    await stream.received(2)
    stream.call.cancel()
    await until(() => serving.server.inflight === 0 && serving.grpc.calls === 0)
  })
})

describe('a client that does not read', () => {
  it.each(['repeat', 'wrapped'])(
    'makes the model %s wait, and gets everything once it reads',
    async (modelName) => {
      await serving.close()
      serving = await serveGrpc({
        models: { repeat: REPEAT, wrapped: WRAPPED },
        backends: [repeatBackend({ clock: nodeClock() })],
        grpc: { http2: { writeHighWater: 4096 } },
      })
      client.close()
      client = new RawClient(serving.target)
      const total = 20_000
      const stream = client.inferStream()
      stream.call.pause()
      const values = Array.from({ length: total }, (_, i) => i)
      stream.send({ ...repeatRequest('a', values), modelName })
      stream.end()
      await until(() => serving.server.inflight > 0)
      // Longer than the whole would take to write: it is still there because it waits.
      for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(serving.server.inflight).toBeGreaterThan(0)
      stream.call.resume()
      expect((await stream.status).code).toBe(status.OK)
      expect(stream.answers).toHaveLength(total)
    },
  )
})
