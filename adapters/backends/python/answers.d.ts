import { ServerError } from '../../../core/errors.ts'
import type { InferResponse } from '../../../core/infer.ts'
import type { Message } from './messages.ts'
import type { ReceivedMemory } from './received-memory.ts'
/** The request is not answered yet: it runs again, or its answer comes by itself. */
export type Pending = 'again' | 'later'
/** What a worker said of one request. */
export type Answer = InferResponse | ServerError | Pending
/** Throws for what is no error. */
export declare function readError(value: unknown): ServerError
/** Answers of a message, in its order. Throws for what are none. */
export declare function readAnswers(
  list: unknown,
  { block }: Message,
  memory: ReceivedMemory,
): readonly Answer[]
