import type { PeerModel } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../core/infer.ts'
import type { PeerCall, PeerControl } from '../hosted/peer-calls.ts'
import type { Message } from './messages.ts'
import { parametersJson } from './parameters-json.ts'
import type { ReceivedMemory } from './received-memory.ts'
import { ReceivedTensors } from './received-tensors.ts'
import { readRequest } from './requests.ts'
import { blockBytes, TensorWriter } from './tensor-writer.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A call that a model makes. Throws for what is none. */
export function readCall(
  message: Message,
  memory: ReceivedMemory,
  callerOf: (run: unknown, index: unknown) => InferRequest | undefined,
): PeerCall {
  const { model, version, run, index, block } = message
  const received = new ReceivedTensors()
  const options = readRequest(message.request, (list) => received.check(list))
  received.open(memory, block)
  return {
    call: numberOf(message.call, 'call'),
    model: textOf(model, 'model'),
    version: typeof version === 'string' ? version : '',
    options: options((list) => received.tensors(list)),
    caller: callerOf(run, index),
    ...(message.decoupled === true ? {} : { check: answersOnce }),
    settled: () => received.release?.(),
  }
}

/** With Triton's text for a model that answers as often as it likes. */
function answersOnce({ config }: PeerModel): void {
  if (config?.model_transaction_policy?.decoupled !== true) return
  const { name = '' } = config
  throw new ServerError(
    'UNSUPPORTED',
    `Model ${name} is using the decoupled. The current BLS request call doesn't support models using the decoupled transaction policy. Please use 'decoupled=True' argument to the 'exec' or 'async_exec' calls for decoupled models.'`,
  )
}

/** Triton's text for a request that its model does not take. */
export function refusedCall({ model }: PeerCall, error: ServerError): ServerError {
  const absent = error.code === 'NOT_FOUND' || error.code === 'UNAVAILABLE'
  const reason = absent
    ? `Failed for execute the inference request. Model '${model}' is not ready.`
    : error.message
  return new ServerError('INTERNAL', `Model ${model} - Error when running inference: ${reason}`)
}

/** What a model wants done to another, or to know of it. Throws for what is nothing of that. */
export function readControl(message: Message): PeerControl {
  const { action, version, config, files } = message
  if (action !== 'load' && action !== 'unload' && action !== 'ready') {
    throw new Error('it asks for what there is not')
  }
  return {
    call: numberOf(message.call, 'call'),
    action,
    model: textOf(message.model, 'model'),
    version: typeof version === 'string' ? version : '',
    ...(typeof config === 'string' && config !== '' ? { config } : {}),
    dependents: message.dependents === true,
    ...(files === undefined || files === null ? {} : { files: readFiles(files) }),
  }
}

/** Tells a model what another one answered it, and gives the answer's memory back. */
export function sendAnswer(
  worker: WorkerProcess,
  call: number,
  answer: InferResponse | ServerError | null,
  final: boolean,
): void {
  const head = `{"kind":"answer","call":${call},"final":${final}`
  if (answer === null) worker.post(`${head}}`)
  else if (answer instanceof ServerError) {
    // Triton does not pass codes on.
    worker.post(`${head},"error":${errorJson(new ServerError('INTERNAL', answer.message))}}`)
  } else {
    let text: string
    try {
      const writer = new TensorWriter(worker.sent, blockBytes(answer.outputs))
      const parameters =
        answer.parameters === undefined ? '' : `,"parameters":${parametersJson(answer.parameters)}`
      text = `${head},"outputs":${writer.write(answer.outputs)}${parameters}${writer.tail}`
    } catch (error) {
      text = `${head},"error":${errorJson(ServerError.from(error))}}`
    }
    answer.release?.()
    worker.post(text)
  }
}

/** Tells a model what came of its load, unload or question. */
export function sendControlled(
  worker: WorkerProcess,
  call: number,
  result: boolean | ServerError,
): void {
  const tail = result instanceof ServerError ? `"error":${errorJson(result)}` : `"result":${result}`
  worker.post(`{"kind":"controlled","call":${call},${tail}}`)
}

export function errorJson({ code, message }: ServerError): string {
  return JSON.stringify({ message, code })
}

export function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new Error(`'${what}' is no number`)
}

export function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new Error(`'${what}' is no text`)
}

/** By name, in base64. */
function readFiles(value: unknown): ReadonlyMap<string, Uint8Array> {
  if (typeof value !== 'object' || value === null) throw new Error('files are an object')
  return new Map(
    Object.entries(value).map(([name, text]) => [
      name,
      Buffer.from(textOf(text, 'file'), 'base64'),
    ]),
  )
}
