import { expect, test } from 'vitest'
import { InferRequest, type InferResponse } from '../../../../core/infer.ts'
import {
  EVENT_BUFFER_BYTES,
  EventStream,
  MAX_EVENT_BACKLOG_BYTES,
} from '../../../../core/protocol/rest/event-stream.ts'
import { text } from './fake-server.ts'

const NOTHING: InferResponse = { outputs: [] }

/** A stream whose responses have that many bytes each. */
function make(bytes: number) {
  const state = { first: 0, ended: 0 }
  const events = new EventStream({
    encode: () => new Uint8Array(bytes).fill(0x78),
    onFirst: () => void state.first++,
    onEnd: () => void state.ended++,
  })
  const request = new InferRequest({ inputs: [] }, events)
  events.follow(request)
  return { state, events, request }
}

test('events that came while the client was busy go out in one piece', async () => {
  const { events, request } = make(1)
  const reader = events.stream.getReader()
  request.respond(NOTHING, false)
  request.respond(NOTHING, false)
  expect(text((await reader.read()).value as Uint8Array)).toBe('data: x\n\ndata: x\n\n')
  const next = reader.read()
  request.respond(NOTHING, true)
  expect(text((await next).value as Uint8Array)).toBe('data: x\n\n')
  expect((await reader.read()).done).toBe(true)
})

test('the model waits from a full buffer on until the client takes it', async () => {
  const { events, request } = make(EVENT_BUFFER_BYTES / 2)
  let woken = 0
  request.onWritable = () => woken++
  request.respond(NOTHING, false)
  expect(request.congested).toBe(false)
  request.respond(NOTHING, false)
  expect([request.congested, woken]).toEqual([true, 0])
  await events.stream.getReader().read()
  expect([request.congested, woken]).toEqual([false, 1])
})

test('a model that does not wait is cancelled before the memory is full', async () => {
  const bytes = MAX_EVENT_BACKLOG_BYTES / 2
  const { state, events, request } = make(bytes)
  request.respond(NOTHING, false)
  request.respond(NOTHING, false)
  expect(request.cancelled).toBe(true)
  let released = 0
  request.respond({ outputs: [], release: () => released++ }, true)
  expect([released, state.ended]).toEqual([1, 1])
  const all = await new Response(events.stream).text()
  expect(all.length).toBeLessThan(2 * bytes + 200)
  expect(all.slice(-100)).toContain('bytes of events wait for the client"}\n\n')
})

test('a client that leaves cancels the request and wakes its model, once', async () => {
  const { state, events, request } = make(EVENT_BUFFER_BYTES)
  let woken = 0
  let cancelled = 0
  request.onWritable = () => woken++
  request.onCancel = () => cancelled++
  request.respond(NOTHING, false)
  await events.stream.cancel()
  events.leave()
  expect([woken, cancelled, state.ended, request.congested]).toEqual([1, 1, 1, false])
  request.respond(NOTHING, true)
  expect(state).toEqual({ first: 1, ended: 1 })
})
