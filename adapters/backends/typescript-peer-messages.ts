import { ServerError } from '../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../core/infer.ts'
import type { PeerCall } from './hosted/peer-calls.ts'
import type { WireCall } from './typescript-messages.ts'
import type { ModelThread } from './typescript-thread.ts'
import { noBytes, packAligned, tensorOf, wireError } from './typescript-wire.ts'

/** A call as the server carries it out; its tensors are views on the message. */
export function peerCall(message: WireCall, caller: InferRequest | undefined): PeerCall {
  const { call, model, version, buffer } = message
  const { inputs, batchSize: _, ...rest } = message.request
  const options = { ...rest, inputs: inputs.map((input) => tensorOf(input, buffer)) }
  return { call, model, version, options, caller }
}

/** Tells a model what another one answered it. */
export function peerAnswer(
  thread: ModelThread,
  call: number,
  answer: InferResponse | ServerError | null,
  final: boolean,
): void {
  if (answer === null || answer instanceof ServerError) {
    const error = answer === null ? null : wireError(answer, 'INTERNAL')
    thread.post({ kind: 'answer', call, answer: error, final, buffer: noBytes() })
    return
  }
  const { groups, buffer } = packAligned([answer.outputs])
  const { parameters = null } = answer
  answer.release?.()
  const wire = { outputs: groups[0] ?? [], parameters }
  thread.post({ kind: 'answer', call, answer: wire, final, buffer }, [buffer])
}

/** Tells a model what came of its load, unload or question. */
export function peerControlled(
  thread: ModelThread,
  call: number,
  result: boolean | ServerError,
): void {
  const wire = result instanceof ServerError ? wireError(result, 'INTERNAL') : result
  thread.post({ kind: 'controlled', call, result: wire })
}
