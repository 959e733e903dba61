import { describe, expect, it } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferResponse } from '../../../core/infer.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import { ModelStats } from '../../../core/stats.ts'
import { MAX_SHADOW_BYTES, ShadowTraffic } from '../../../core/traffic/shadow-traffic.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

type Run = (request: InferRequest) => void

function model(version: number, submit: Run): ServedModel {
  return {
    name: 'm',
    version,
    config: {},
    inputs: [],
    outputs: [],
    stats: new ModelStats(),
    pending: 0,
    labels: () => undefined,
    check() {},
    checksContent: false,
    submit,
    ready: true,
  }
}

/** Answers with the memory of the input, as models do that pass it on. */
const echo: Run = (request) => {
  const outputs = request.inputs.map((input) => ({ ...input, name: 'OUT' }))
  request.respond({ outputs })
}

function requestOf(data: Uint8Array, answered: (answer: unknown) => void): InferRequest {
  const input = { name: 'IN', datatype: 'UINT8', shape: [data.length], data } as const
  return new InferRequest({ inputs: [input] }, { answer: (_request, answer) => answered(answer) })
}

describe('shadow traffic', () => {
  it('copies what the request and its answer lie in: both are used again when the client has its answer', () => {
    const clock = createFakeClock()
    const traffic = new ShadowTraffic(clock)
    // As memory that comes from a socket: its `slice` is a view.
    const memory = Buffer.from([1, 2, 3])
    const seen: number[][] = []
    const shadow = model(2, (request) => {
      seen.push([...(request.inputs[0]?.data ?? [])])
      echo(request)
    })
    const front = traffic.front(model(1, echo), shadow, 1)
    front.submit(requestOf(memory, () => memory.fill(9)))
    expect(seen).toEqual([])
    clock.turn()
    expect(seen).toEqual([[1, 2, 3]])
    expect(traffic.figures[0]?.outcomes).toEqual({ match: 1, differ: 0, failed: 0, dropped: 0 })
  })

  it('lets the client have its answer first, and cancels what it cancels', () => {
    const clock = createFakeClock()
    const traffic = new ShadowTraffic(clock)
    const taken: InferRequest[] = []
    const answers: unknown[] = []
    const keep = model(1, (request) => void taken.push(request))
    const front = traffic.front(keep, model(2, echo), 1)
    const request = requestOf(new Uint8Array(1), (answer) => answers.push(answer))
    front.submit(request)
    request.cancel()
    expect(taken[0]?.cancelled).toBe(true)
    taken[0]?.respond(new ServerError('CANCELLED', 'gone'))
    expect(answers).toHaveLength(1)
    clock.turn()
    expect(traffic.figures).toEqual([])
  })

  it('copies nothing that is too large', () => {
    const clock = createFakeClock()
    const traffic = new ShadowTraffic(clock)
    const front = traffic.front(model(1, echo), model(2, echo), 1)
    const answers: (InferResponse | unknown)[] = []
    front.submit(requestOf(new Uint8Array(MAX_SHADOW_BYTES), (answer) => answers.push(answer)))
    clock.turn()
    expect(answers).toHaveLength(1)
    expect(traffic.figures[0]?.outcomes).toMatchObject({ dropped: 1, match: 0 })
  })

  it('takes its share evenly', () => {
    const traffic = new ShadowTraffic(createFakeClock())
    const [real, other] = [model(1, echo), model(2, echo)]
    const shadowed = Array.from({ length: 20 }, () => traffic.front(real, other, 0.25) !== real)
    expect(shadowed.filter(Boolean)).toHaveLength(5)
    expect(shadowed.slice(0, 8).filter(Boolean)).toHaveLength(2)
  })
})
