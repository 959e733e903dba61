import type { BatchResult } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../core/infer.ts'
import { sameShape, type Tensor } from '../../core/tensor.ts'
import { isWireError, type WireAnswer, type WireResponse } from './typescript-messages.ts'
import { tensorOf } from './typescript-wire.ts'

/** A worker's answer as the server's; an error that was thrown says whose it is. */
export function answerOf(
  answer: WireAnswer,
  buffer: ArrayBuffer,
  model: string,
): InferResponse | ServerError {
  if (isWireError(answer)) {
    const { code, message, thrown } = answer
    return new ServerError(code, thrown === true ? `model '${model}': ${message}` : message)
  }
  const outputs = answer.outputs.map((output) => tensorOf(output, buffer))
  return answer.parameters === null ? { outputs } : { outputs, parameters: answer.parameters }
}

/**
 * What a batch was answered. Outputs that all requests have in the same shape lie end to end in the message's buffer, and are
 * joined where they are.
 */
export function resultOf(options: {
  readonly answers: readonly WireAnswer[]
  readonly requests: readonly InferRequest[]
  readonly buffer: ArrayBuffer
  readonly model: string
}): BatchResult | ServerError {
  const { answers, requests, buffer, model } = options
  const first = answers[0]
  if (first === undefined || answers.length !== requests.length) {
    return new ServerError('INTERNAL', `model '${model}' gave no answers`)
  }
  if (answers.length === 1) {
    const only = answerOf(first, buffer, model)
    if (only instanceof ServerError || only.parameters === undefined) return only
    return { outputs: [], answers: [only] }
  }
  if (!isWireError(first)) {
    const outputs = joined(answers, first, buffer)
    if (outputs !== null) return { outputs }
  }
  return { outputs: [], answers: answers.map((answer) => answerOf(answer, buffer, model)) }
}

/** null where the answers do not fit together. */
function joined(
  answers: readonly WireAnswer[],
  first: WireResponse,
  buffer: ArrayBuffer,
): readonly Tensor[] | null {
  const outputs: Tensor[] = []
  for (let i = 0; i < first.outputs.length; i++) {
    const { name, datatype, shape, at } = first.outputs[i] as (typeof first.outputs)[number]
    const item = shape.slice(1)
    let rows = 0
    let end = at
    for (const answer of answers) {
      if (isWireError(answer) || answer.parameters !== null) return null
      if (answer.outputs.length !== first.outputs.length) return null
      const output = answer.outputs[i]
      if (output === undefined || output.name !== name || output.at !== end) return null
      if (!sameShape(output.shape.slice(1), item)) return null
      rows += output.shape[0] ?? 0
      end += output.length
    }
    const data = new Uint8Array(buffer, at, end - at)
    outputs.push({ name, datatype, shape: [rows, ...item], data })
  }
  return outputs
}
