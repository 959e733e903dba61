import { describe, expect, it } from 'vitest'
import { FREE_BYTES, OverloadGate } from '../../../core/overload/gate.ts'
import { gateOf } from '../../../core/overload/gate-of.ts'
import { Hold } from '../../../core/overload/hold.ts'

const LATER = 1
const FULL = {
  code: 'UNAVAILABLE',
  message: 'server has its limit of 3 requests in flight, try again',
  retryAfterSecs: LATER,
}
const NO_BUDGET = {
  code: 'UNAVAILABLE',
  message: 'server memory budget reached, try again',
  retryAfterSecs: LATER,
}

describe('places', () => {
  it('are given up to the limit, and again when one is given back', () => {
    const gate = new OverloadGate({ maxInflight: 3 })
    for (let i = 0; i < 3; i++) expect(gate.enter(10)).toBeNull()
    expect(gate.enter(10)).toMatchObject(FULL)
    expect(gate).toMatchObject({ inflight: 3, bytes: 30, shed: { inflight: 1, memory: 0 } })
    gate.leave(10)
    expect(gate.enter(10)).toBeNull()
    expect(gate.enter(10)).toMatchObject(FULL)
  })

  it('are not counted for what is no inference', () => {
    const gate = new OverloadGate({ maxInflight: 1 })
    expect(gate.enter(0)).toBeNull()
    for (const side of [gate.control, gate.probes]) {
      expect(side.enter(5)).toBeNull()
      expect(side.enter(5)).toBeNull()
    }
    expect(gate).toMatchObject({ inflight: 1, bytes: 20 })
    for (const side of [gate.control, gate.probes]) {
      side.leave(5)
      side.leave(5)
    }
    expect(gate).toMatchObject({ inflight: 1, bytes: 0 })
  })

  it('and bytes have no limit that is 0', () => {
    const gate = new OverloadGate({ maxInflight: 0, memoryBudget: 0 })
    for (let i = 0; i < 10_000; i++) expect(gate.enter(2 ** 31)).toBeNull()
    expect(gate.inflight).toBe(10_000)
  })
})

describe('the memory budget', () => {
  it.each([
    ['one below', 99, null],
    ['exactly', 100, null],
    ['one above', 101, NO_BUDGET],
  ])('takes %s', (_, bytes, refusal) => {
    const gate = new OverloadGate({ memoryBudget: 300 })
    expect(gate.enter(200)).toBeNull()
    const answer = gate.enter(bytes)
    if (refusal === null) expect(answer).toBeNull()
    else expect(answer).toMatchObject(refusal)
    expect(gate.bytes).toBe(refusal === null ? 200 + bytes : 200)
    expect(gate.inflight).toBe(refusal === null ? 2 : 1)
  })

  it('counts bytes that come after the start, and adds nothing on refusal', () => {
    const gate = new OverloadGate({ memoryBudget: 100 })
    const hold = new Hold(gate)
    expect(hold.enter(0)).toBeNull()
    expect(hold.grow(100)).toBeNull()
    expect(hold.grow(1)).toMatchObject(NO_BUDGET)
    expect(gate).toMatchObject({ bytes: 100, shed: { memory: 1 } })
    hold.leave()
    hold.leave()
    expect(gate).toMatchObject({ inflight: 0, bytes: 0 })
  })

  it('says so when a request can never fit, instead of having it sent again', () => {
    const gate = new OverloadGate({ memoryBudget: 100 })
    expect(gate.enter(101)).toMatchObject({
      code: 'UNAVAILABLE',
      message:
        "request body is larger than the server's memory budget of 100 bytes, send less at a time",
      retryAfterSecs: 0,
    })
  })

  it('holds for what is no inference as well, but for small bodies', () => {
    const gate = new OverloadGate({ memoryBudget: FREE_BYTES })
    expect(gate.enter(FREE_BYTES)).toBeNull()
    expect(gate.control.enter(FREE_BYTES)).toBeNull()
    expect(gate.probes.enter(FREE_BYTES)).toBeNull()
    expect(gate.control.enter(FREE_BYTES + 1)).toMatchObject({ code: 'UNAVAILABLE' })
    expect(gate.probes.grow(1)).toMatchObject(NO_BUDGET)
    expect(gate.bytes).toBe(3 * FREE_BYTES)
  })
})

describe('a gate that is shut', () => {
  it('because the event loop is late refuses new inference only', () => {
    const gate = new OverloadGate({ maxInflight: 3 })
    expect(gate.enter(1)).toBeNull()
    gate.lagging = true
    expect(gate.enter(1)).toMatchObject({ message: 'server is overloaded, try again' })
    expect(gate.control.enter(0)).toBeNull()
    expect(gate.shed).toEqual({ inflight: 0, memory: 0, lag: 1, rss: 0 })
    gate.leave(1)
    expect(gate.inflight).toBe(0)
    gate.lagging = false
    expect(gate.enter(1)).toBeNull()
  })

  it('because memory ends refuses everything but probes', () => {
    const gate = new OverloadGate()
    gate.exhausted = true
    const refusal = { code: 'UNAVAILABLE', message: 'server is out of memory, try again' }
    expect(gate.enter(1)).toMatchObject(refusal)
    expect(gate.control.enter(1)).toMatchObject(refusal)
    expect(gate.probes.enter(1)).toBeNull()
    expect(gate.shed.rss).toBe(2)
    gate.lagging = true
    gate.exhausted = false
    expect(gate.enter(1)).toMatchObject({ message: 'server is overloaded, try again' })
    gate.lagging = false
    expect(gate.enter(1)).toBeNull()
  })
})

it('inference, health and the rest each have their gate', () => {
  const gate = new OverloadGate()
  for (const operation of ['infer', 'infer-stream', 'generate', 'generate-stream'] as const) {
    expect(gateOf(gate, operation), operation).toBe(gate.inference)
  }
  for (const operation of ['server-live', 'server-ready', 'model-ready'] as const) {
    expect(gateOf(gate, operation), operation).toBe(gate.probes)
  }
  for (const operation of ['model-load', 'model-metadata', 'system-shm-register'] as const) {
    expect(gateOf(gate, operation), operation).toBe(gate.control)
  }
})
