import { expect, test } from 'vitest'
import { reflectionStream } from '../../../../adapters/grpc/reflection/reflection-stream.ts'
import type { CallStatus, StreamCall } from '../../../../adapters/grpc/types.ts'
import { callContext } from '../control/call.ts'

/** `list_services` with an empty value. */
const LIST = new Uint8Array([7 * 8 + 2, 0])

/** A call that notes what is done with it; `accepts` says how many messages it takes before it asks to wait. */
function openCall(accepts = Number.POSITIVE_INFINITY) {
  const events: string[] = []
  let room = accepts
  let finished: (status: CallStatus) => void = () => {}
  const status = new Promise<CallStatus>((resolve) => {
    finished = resolve
  })
  const call: StreamCall = {
    ...callContext(),
    metadata: () => undefined,
    send: () => {
      events.push('send')
      return --room > 0
    },
    pause: () => events.push('pause'),
    resume: () => events.push('resume'),
    finish: finished,
  }
  const count = (what: string) => events.filter((one) => one === what).length
  return { stream: reflectionStream(call), events, count, status }
}

test('a client that asks faster than it is answered is stopped, and goes on', async () => {
  const { stream, events, count, status } = openCall()
  for (let i = 0; i < 40; i++) stream.message(LIST)
  expect(events).toEqual(['pause'])
  stream.end()
  expect(await status).toEqual({ code: 0, message: '' })
  expect(count('send')).toBe(40)
  expect(count('resume')).toBe(1)
})

test('a client that does not read gets no more answers until it does', async () => {
  const { stream, count, status } = openCall(2)
  for (let i = 0; i < 4; i++) stream.message(LIST)
  stream.end()
  await expect.poll(() => count('send')).toBe(2)
  stream.writable?.()
  await expect.poll(() => count('send')).toBe(3)
  stream.writable?.()
  await expect.poll(() => count('send')).toBe(4)
  stream.writable?.()
  expect((await status).code).toBe(0)
})

test('what is no question ends the call, and so does one that is too long', async () => {
  const broken = openCall()
  broken.stream.message(new Uint8Array([7 * 8 + 2, 9]))
  expect((await broken.status).code).toBe(13)
  const long = openCall()
  long.stream.message(new Uint8Array(17 * 1024))
  expect((await long.status).code).toBe(8)
  const many = openCall()
  for (let i = 0; i < 2000; i++) many.stream.message(LIST)
  expect((await many.status).code).toBe(8)
})

test('a call that was cancelled is not answered', async () => {
  const cancelled = openCall()
  cancelled.stream.message(LIST)
  cancelled.stream.cancelled()
  const other = openCall()
  other.stream.message(LIST)
  other.stream.end()
  await other.status
  expect(cancelled.events).toEqual([])
})
