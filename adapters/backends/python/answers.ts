import { isErrorCode, ServerError } from '../../../core/errors.ts'
import type { InferResponse } from '../../../core/infer.ts'
import type { Message } from './messages.ts'
import { readParameters } from './parameters-json.ts'
import type { ReceivedMemory } from './received-memory.ts'
import { ReceivedTensors, type WireTensor } from './received-tensors.ts'

/** The request is not answered yet: it runs again, or its answer comes by itself. */
export type Pending = 'again' | 'later'

/** What a worker said of one request. */
export type Answer = InferResponse | ServerError | Pending

/** Throws for what is no error. */
export function readError(value: unknown): ServerError {
  if (typeof value !== 'object' || value === null) throw new Error('an error is an object')
  const { message, code } = value as Record<string, unknown>
  if (typeof message !== 'string') throw new Error('an error has a message')
  return new ServerError(isErrorCode(code) ? code : 'INTERNAL', message)
}

/** Answers of a message, in its order. Throws for what are none. */
export function readAnswers(
  list: unknown,
  { block }: Message,
  memory: ReceivedMemory,
): readonly Answer[] {
  if (!Array.isArray(list)) throw new Error('its answers are no list')
  const received = new ReceivedTensors()
  const parts: (readonly WireTensor[] | null)[] = []
  for (let i = 0; i < list.length; i++) {
    const outputs = outputsOf(list[i])
    parts.push(outputs === null ? null : received.check(outputs))
  }
  received.open(memory, block)
  let holders = 0
  const { release } = received
  const releaseOne = (): void => {
    if (--holders === 0) release?.()
  }
  const answers: Answer[] = []
  for (let i = 0; i < list.length; i++) {
    const part = parts[i] ?? null
    if (part === null) {
      answers.push(pendingOf(list[i]))
      continue
    }
    const outputs = received.tensors(part)
    const parameters = readParameters((list[i] as { parameters?: unknown }).parameters)
    holders++
    answers.push({
      outputs,
      ...(parameters === undefined ? {} : { parameters }),
      ...(release === null ? {} : { release: releaseOne }),
    })
  }
  if (holders === 0) release?.()
  return answers
}

function outputsOf(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('outputs' in answer)) return null
  return answer.outputs
}

function pendingOf(answer: unknown): ServerError | Pending {
  if (answer === null) return 'later'
  if (typeof answer !== 'object') throw new Error('an answer is an object')
  if ('again' in answer) return 'again'
  return readError((answer as { error?: unknown }).error)
}
