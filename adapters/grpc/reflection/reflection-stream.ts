import { Status, type StreamCall, type StreamMessages } from '../types.ts'

/** Questions ahead of the answers at which the client is stopped. */
const PAUSE_AT = 16
/** Questions that may have been on their way when the client was stopped. */
const MAX_WAITING = 1024
/** Bytes of one question: it is a name. */
const MAX_QUESTION_BYTES = 16 * 1024

/** One reflection call: answers questions one after another, in their order. */
export function reflectionStream(call: StreamCall): StreamMessages {
  const waiting: Uint8Array[] = []
  let working = false
  let ended = false
  let over = false
  let blocked = false

  function finish(code: number, message: string): void {
    if (over) return
    over = true
    waiting.length = 0
    call.finish({ code, message })
  }

  async function work(): Promise<void> {
    if (working) return
    working = true
    try {
      const { reflectionAnswer } = await import('./reflection-answer.ts')
      while (!over && !blocked) {
        const question = waiting.shift()
        if (question === undefined) break
        if (waiting.length === PAUSE_AT - 1) call.resume()
        const answer = reflectionAnswer(question)
        if (answer === null) return finish(Status.INTERNAL, 'unreadable reflection request')
        blocked = !call.send([answer], answer.length)
      }
    } catch {
      finish(Status.INTERNAL, 'internal error')
    } finally {
      working = false
    }
    if (ended && waiting.length === 0 && !blocked) finish(Status.OK, '')
  }

  return {
    message(bytes) {
      if (over) return
      if (bytes.length > MAX_QUESTION_BYTES || waiting.length >= MAX_WAITING) {
        finish(Status.RESOURCE_EXHAUSTED, 'reflection request too large')
        return
      }
      waiting.push(bytes)
      if (waiting.length === PAUSE_AT) call.pause()
      void work()
    },
    end() {
      ended = true
      void work()
    },
    cancelled() {
      over = true
      waiting.length = 0
    },
    writable() {
      blocked = false
      void work()
    },
  }
}
