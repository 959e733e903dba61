import { datatypeOfConfig } from '../../core/config/datatypes.ts'
import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Datatype, ModelResponse } from '../../core/model-api/types.ts'
import type { Tensor } from '../../core/tensor.ts'
import type { WireAnswer, WireError, WireParameters } from './typescript-messages.ts'
import { parametersOf, type ReceivedRequest } from './typescript-request.ts'
import { toTensor } from './typescript-tensors.ts'
import { packJoined, wireError } from './typescript-wire.ts'

/** What a config says of answers. */
export interface AnswerRules {
  /** By output, states of sequences included. */
  readonly datatypes: ReadonlyMap<string, Datatype>
  readonly batching: boolean
}

export function answerRules(config: ModelConfig): AnswerRules {
  const datatypes = new Map<string, Datatype>()
  const note = (name: string | undefined, type: Parameters<typeof datatypeOfConfig>[0]): void => {
    const datatype = datatypeOfConfig(type)
    if (datatype !== undefined) datatypes.set(name ?? '', datatype)
  }
  for (const { name, data_type } of config.output ?? []) note(name, data_type)
  for (const { output_name, data_type } of config.sequence_batching?.state ?? []) {
    note(output_name, data_type)
  }
  return { datatypes, batching: (config.max_batch_size ?? 0) > 0 }
}

/** An answer on its way: what `answers` of a message has, but for the bytes. */
type Checked =
  | { readonly outputs: readonly Tensor[]; readonly parameters: WireParameters }
  | WireError

/** What a model answered as it is sent: one message's answers and their bytes. */
export function packAnswers(
  given: readonly (ModelResponse | Error)[],
  requests: readonly ReceivedRequest[],
  rules: AnswerRules,
): { readonly answers: readonly WireAnswer[]; readonly buffer: ArrayBuffer } {
  const checked = given.map((answer, i) => check(answer, requests[i] as ReceivedRequest, rules))
  const { groups, buffer } = packJoined(checked.map((one) => ('outputs' in one ? one.outputs : [])))
  const answers = checked.map(
    (one, i): WireAnswer =>
      'outputs' in one ? { outputs: groups[i] ?? [], parameters: one.parameters } : one,
  )
  return { answers, buffer }
}

function check(
  answer: ModelResponse | Error,
  request: ReceivedRequest,
  { datatypes, batching }: AnswerRules,
): Checked {
  if (answer instanceof Error) return wireError(answer, 'INTERNAL')
  try {
    if (typeof answer?.outputs !== 'object' || answer.outputs === null) {
      throw new ServerError('INTERNAL', 'an answer is { outputs } or an Error')
    }
    const outputs = Object.entries(answer.outputs).map(([name, value]) => {
      const datatype = datatypes.get(name)
      if (datatype === undefined) {
        throw new ServerError('INTERNAL', `the config has no output '${name}'`)
      }
      const tensor = toTensor(name, value, datatype)
      if (batching && tensor.shape[0] !== request.batchSize) {
        throw new ServerError(
          'INTERNAL',
          `output '${name}' has ${tensor.shape[0]} rows, its request ${request.batchSize}`,
        )
      }
      return tensor
    })
    return { outputs, parameters: parametersOf(answer.parameters) }
  } catch (error) {
    const { message } = wireError(error, 'INTERNAL')
    return { code: 'INTERNAL', message: `wrong answer: ${message}` }
  }
}
