import type { ErrorCode } from '../../core/errors.ts'
import type { ParameterValue } from '../../core/infer.ts'
import type { LogLevel } from '../../core/platform.ts'
import type { Datatype } from '../../core/tensor.ts'

/** A tensor on its way between threads; its bytes lie in the message's buffer. */
export interface WireTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly shape: readonly number[]
  readonly at: number
  readonly length: number
}

export type WireParameters = ReadonlyMap<string, ParameterValue> | null

export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  /** It was not meant as an answer. */
  readonly thrown?: boolean
}

export interface WireRequest {
  readonly id: string
  readonly inputs: readonly WireTensor[]
  readonly outputs: readonly string[] | null
  readonly parameters: WireParameters
  readonly priority: number
  readonly timeoutUs: number
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  readonly batchSize: number
}

export interface WireResponse {
  readonly outputs: readonly WireTensor[]
  readonly parameters: WireParameters
}

export type WireAnswer = WireResponse | WireError

export function isWireError(answer: WireAnswer): answer is WireError {
  return 'code' in answer
}

/** A call that a model makes to another. */
export interface WireCall {
  readonly kind: 'infer'
  readonly call: number
  readonly model: string
  /** '' = what the version policy serves. */
  readonly version: string
  readonly request: WireRequest
  /** The request of the caller that it is made for; -1 = none. */
  readonly run: number
  readonly index: number
  readonly buffer: ArrayBuffer
}

/** What a model has done to another, or wants to know of it. */
export interface WireControl {
  readonly kind: 'control'
  readonly call: number
  readonly action: 'load' | 'unload' | 'ready'
  readonly model: string
  readonly version: string
}

/** To the worker. Buffers are transferred, not copied. */
export type ToWorker =
  | { readonly kind: 'open'; readonly url: string; readonly config: string }
  | {
      readonly kind: 'start'
      readonly name: string
      readonly version: number
      readonly instance: string
      readonly config: string
    }
  | {
      readonly kind: 'run'
      readonly run: number
      readonly decoupled: boolean
      readonly requests: readonly WireRequest[]
      readonly buffer: ArrayBuffer
    }
  /** Nobody waits for this request any more. */
  | { readonly kind: 'cancel'; readonly run: number; readonly index: number }
  /** An answer of a decoupled model was taken. */
  | { readonly kind: 'credit'; readonly run: number; readonly index: number }
  | {
      readonly kind: 'answer'
      readonly call: number
      readonly answer: WireAnswer | null
      readonly final: boolean
      readonly buffer: ArrayBuffer
    }
  | { readonly kind: 'controlled'; readonly call: number; readonly result: boolean | WireError }
  | { readonly kind: 'finish' }

/** From the worker. */
export type FromWorker =
  /** JSON of the ModelConfig that the module has, or null. */
  | { readonly kind: 'opened'; readonly config: string | null }
  | { readonly kind: 'started' }
  /** Of opening or starting. */
  | { readonly kind: 'failed'; readonly error: WireError }
  /** One answer for each request; none where the model is decoupled. */
  | {
      readonly kind: 'ran'
      readonly run: number
      readonly answers: readonly WireAnswer[]
      readonly buffer: ArrayBuffer
    }
  /** One answer of a decoupled model. */
  | {
      readonly kind: 'sent'
      readonly run: number
      readonly index: number
      readonly answer: WireAnswer | null
      readonly final: boolean
      readonly buffer: ArrayBuffer
    }
  | WireCall
  /** The caller wants no more answers. */
  | { readonly kind: 'stop'; readonly call: number }
  /** An answer was taken. */
  | { readonly kind: 'taken'; readonly call: number }
  | WireControl
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly kind: 'finished' }
