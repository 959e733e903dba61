import type {
  Backend,
  BatchResult,
  ExecutionMarks,
  Instance,
  ModelSource,
} from '../../core/backend/types.ts'
import { packBytes } from '../../core/bytes.ts'
import { ServerError } from '../../core/errors.ts'
import { InferRequest } from '../../core/infer.ts'
import { DATATYPE_SIZES, type Datatype, elementCount, type Tensor } from '../../core/tensor.ts'
import { joined } from './joined-answers.ts'

/** A model with requests of which the answers are known. */
export interface ContractSample {
  /** With a complete config. */
  readonly source: ModelSource
  /** Of one request; with the batch dimension where the model has one. */
  readonly inputs: readonly Tensor[]
  /** What it is answered: these outputs, bit for bit. */
  readonly outputs: readonly Tensor[]
  /** Rows of the request. Default 1. */
  readonly rows?: number
}

/** The models a backend is tested with. */
export interface ContractModels {
  /** X [-1,-1] → Y of one datatype. Absent = the backend runs no such model, and {@link samples} say what it does. */
  identity?(datatype: Datatype): ModelSource
  /** Models that do what only this backend does. */
  readonly samples?: readonly ContractSample[]
  /** A, B [-1,4] FP32 → SUM, DIFF. */
  addSub?: ModelSource
  /** Takes long (seconds at least) with `inputs` unless terminated, and no time with `quick`. */
  slow?: {
    readonly source: ModelSource
    readonly inputs: readonly Tensor[]
    readonly quick: readonly Tensor[]
  }
  /** Sources that must not load, with what their message must say. */
  broken?: readonly { readonly source: ModelSource; readonly message: RegExp }[]
}

export interface BackendContract {
  readonly name: string
  create(): Backend | Promise<Backend>
  readonly models: ContractModels
  /** Datatypes the backend cannot carry, each with the reason. */
  readonly unsupported?: Partial<Record<Datatype, string>>
  /** Cases it cannot pass, each with the reason. */
  readonly exceptions?: {
    readonly nulBytes?: string
    readonly cancel?: string
    readonly shapeError?: string
    readonly sizeError?: string
    readonly noElements?: string
  }
}

/** Bytes of `shape` that are valid for `datatype`: every bit pattern but for BOOL, which knows two. */
export function patternBytes(datatype: Datatype, shape: readonly number[]): Uint8Array {
  const count = elementCount(shape)
  if (datatype === 'BYTES') {
    return packBytes(Array.from({ length: count }, (_, i) => new TextEncoder().encode(`é${i}`)))
  }
  const bytes = new Uint8Array(count * DATATYPE_SIZES[datatype])
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = datatype === 'BOOL' ? i & 1 : (i * 37 + 11) & 0x3f
  return bytes
}

export function requestOf(inputs: readonly Tensor[], batchSize = 1): InferRequest {
  const request = new InferRequest({ inputs }, { answer() {} })
  request.batchSize = batchSize
  return request
}

/** Runs requests as one batch and waits for the answer. */
export function execute(
  instance: Instance,
  requests: readonly InferRequest[],
  marks: ExecutionMarks = { inputEndNs: 0, outputStartNs: 0 },
): Promise<BatchResult | ServerError> {
  const size = requests.reduce((rows, request) => rows + request.batchSize, 0)
  return new Promise((resolve) => instance.execute({ requests, size }, marks, resolve))
}

export function resultOf(answer: BatchResult | ServerError): BatchResult {
  if (answer instanceof ServerError) throw answer
  return answer
}

export function outputOf(answer: BatchResult | ServerError, name: string): Tensor {
  const { outputs, answers } = resultOf(answer)
  const found = (answers === undefined ? outputs : joined(answers)).find(
    (tensor) => tensor.name === name,
  )
  if (found === undefined) throw new Error(`no output '${name}'`)
  return found
}

export const floats = (values: readonly number[]): Uint8Array =>
  new Uint8Array(new Float32Array(values).buffer)

export const floatsOf = (tensor: Tensor): number[] => [
  ...new Float32Array(tensor.data.slice().buffer),
]

/** One thing that a backend owes. */
export interface ContractCase {
  readonly name: string
  /** Why it is left out; false = it is not. */
  readonly skip: string | false
  run(): Promise<void>
}
