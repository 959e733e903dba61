import { expect, test } from 'vitest'
import { Execution } from '../../../adapters/backends/typescript-execution.ts'
import type { ModelThread } from '../../../adapters/backends/typescript-thread.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'

const TIMEOUT_MS = 100

/** A batch of requests of a decoupled model; those named in `slow` do not read. */
function start(count: number, slow: ReadonlySet<number>) {
  const clock = createFakeClock()
  const requests = Array.from(
    { length: count },
    (_, i) =>
      new InferRequest({ inputs: [] }, { answer: () => undefined, congested: () => slow.has(i) }),
  )
  const execution = new Execution({
    run: 0,
    batch: { requests, size: count },
    marks: { inputEndNs: 0, outputStartNs: 0 },
    answers: { send: (index, answer, final) => requests[index]?.respond(answer, final) },
    clock,
    model: 'm',
    done: () => undefined,
  })
  const thread = { post: () => undefined } as unknown as ModelThread
  let late = 0
  execution.send(thread, TIMEOUT_MS, () => late++)
  const send = (index: number, final: boolean): void => {
    const answer = final ? null : { outputs: [], parameters: null }
    const buffer = new ArrayBuffer(0)
    execution.receive({ kind: 'sent', run: 0, index, answer, final, buffer }, thread)
  }
  return {
    requests,
    send,
    wait: () => clock.advance(TIMEOUT_MS * 1e6),
    get late() {
      return late
    },
  }
}

test('a client that does not read is waited for, also when the others of its batch are done', () => {
  const slow = new Set([0])
  const one = start(2, slow)
  one.send(0, false)
  one.send(1, false)
  one.send(1, true)
  one.wait()
  expect(one.late).toBe(0)
  slow.clear()
  one.requests[0]?.onWritable?.()
  one.wait()
  expect(one.late).toBe(1)
})

test('a model that is silent to one client is late, though another one does not read', () => {
  const one = start(2, new Set([0]))
  one.send(0, false)
  one.wait()
  expect(one.late).toBe(1)
})

test('a model that goes on for long after its last answers is late', () => {
  const one = start(1, new Set([0]))
  one.send(0, false)
  one.send(0, true)
  one.wait()
  expect(one.late).toBe(1)
})
