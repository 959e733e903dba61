/**
 * What authors of models in TypeScript program against: `import type { Execute } from 'nereid-server/model'`. A model is a
 * module `1/model.ts` (or `model.js`) that exports `execute` and, if it likes, `initialize`, `finalize` and `config` or
 * `autoComplete`. Each instance runs in a thread of its own: what one holds in variables, no other sees.
 */

/** How the elements of each datatype are seen. FP16 and BF16 come as their bits, BOOL as 0 and 1, BYTES as UTF-8 text. */
export interface ArrayOf {
  BOOL: Uint8Array
  UINT8: Uint8Array
  UINT16: Uint16Array
  UINT32: Uint32Array
  UINT64: BigUint64Array
  INT8: Int8Array
  INT16: Int16Array
  INT32: Int32Array
  INT64: BigInt64Array
  FP16: Uint16Array
  FP32: Float32Array
  FP64: Float64Array
  BYTES: readonly string[]
  BF16: Uint16Array
}

export type Datatype = keyof ArrayOf

/** A tensor that a model was given. */
export interface InputTensor<D extends Datatype = Datatype> {
  readonly name: string
  readonly datatype: D
  /** With the batch dimension in front where the model batches. */
  readonly shape: readonly number[]
  /** The elements, row by row: a view on the bytes, not a copy, but for BYTES, which are decoded at the first look. */
  readonly data: ArrayOf[D]
  /** As on the wire: little-endian, BYTES as `uint32 length, bytes` each. */
  readonly bytes: Uint8Array
  /** The elements of BYTES as they came, for those that are no text. Throws for other datatypes. */
  elements(): readonly Uint8Array[]
}

/** The elements of an output: typed array of its datatype, plain values, text or bytes, or the wire's own bytes. */
export type TensorData =
  | ArrayBufferView
  | readonly (number | bigint | boolean)[]
  | readonly (string | Uint8Array)[]

/** A tensor that a model gives. */
export interface TensorValue {
  readonly shape: readonly number[]
  readonly data: TensorData
  /** Default: what the model's config says of the output, or the typed array is for. */
  readonly datatype?: Datatype
}

/** A `number` is a double on the wire, a `bigint` an integer. */
export type ParameterValue = string | boolean | number | bigint
export type Parameters = Readonly<Record<string, ParameterValue>>

/** One request, as a model sees it. */
export interface ModelRequest {
  /** '' = none. */
  readonly id: string
  readonly inputs: readonly InputTensor[]
  /** Throws INVALID_ARG where there is no such input, or one of another datatype than asked for. */
  input<D extends Datatype = Datatype>(name: string, datatype?: D): InputTensor<D>
  /** Names of wanted outputs; null = all. A model may leave out the others. */
  readonly outputs: readonly string[] | null
  readonly parameters: Parameters
  /** 0 = the default, 1 = highest. */
  readonly priority: number
  /** Microseconds; 0 = none. */
  readonly timeoutUs: number
  /** 0n or '' = none. */
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  /** Rows along the batch dimension; 1 for models without one. */
  readonly batchSize: number
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** The answer to one request. An Error instead is what the client is told: its `code`, if it is one, and its message. */
export interface ModelResponse {
  /** By name. */
  readonly outputs: Readonly<Record<string, TensorValue>>
  readonly parameters?: Parameters
}

/**
 * Runs requests that came together. Returns one answer for each, in their order; what it throws answers all of them. A
 * decoupled model is an async generator that gets one request at a time and yields any number of answers.
 */
export type Execute = (
  requests: readonly ModelRequest[],
) =>
  | readonly (ModelResponse | Error)[]
  | Promise<readonly (ModelResponse | Error)[]>
  | AsyncIterable<ModelResponse | Error>

/** Called once in each instance before its first request; may take its time. What it throws is why the load failed. */
export type Initialize = (context: ModelContext) => void | Promise<void>

/** Called once when an instance is closed. */
export type Finalize = () => void | Promise<void>

/** Fields of Triton's ModelConfig, as in config.pbtxt. What the user's config says goes before them. */
export type Config = Readonly<Record<string, unknown>>

/** Like an exported `config`, made from what the user's config says. */
export type AutoComplete = (config: Config) => Config | Promise<Config>

/** Options of a call to another model. */
export interface InferOptions {
  /** Default: what the version policy serves. */
  readonly version?: number
  /** Default: all. */
  readonly outputs?: readonly string[]
  readonly id?: string
  readonly parameters?: Parameters
  readonly priority?: number
  /** Microseconds in the other model's queue; 0 (the default) = none. */
  readonly timeoutUs?: number
  readonly sequenceId?: bigint | string
  readonly sequenceStart?: boolean
  readonly sequenceEnd?: boolean
  /** Ends the call. */
  readonly signal?: AbortSignal
  /** Who the call is made for: it ends with this request, and its sequences are those of the same client. */
  readonly request?: ModelRequest
}

/** What another model answered. */
export interface InferResult {
  readonly outputs: readonly InputTensor[]
  /** Throws where there is no such output, or one of another datatype than asked for. */
  output<D extends Datatype = Datatype>(name: string, datatype?: D): InputTensor<D>
  readonly parameters: Parameters
}

/** An input of a call: a tensor that was received, or a new one with its datatype or a typed array that tells it. */
export type InferInput = TensorValue | InputTensor

/** What a model's instance can do in the server. */
export interface ModelContext {
  readonly name: string
  readonly version: number
  /** As Triton names it: `<group>_<i>`. */
  readonly instance: string
  /** Complete. */
  readonly config: Config
  /** `parameters` of the config. */
  readonly parameters: Readonly<Record<string, string>>
  readonly log: {
    error(message: string): void
    warning(message: string): void
    info(message: string): void
    verbose(message: string): void
  }
  /**
   * Runs another model of this server; not before every model of the start has been loaded. Rejects with what it answers
   * if that is an error: an Error with Triton's `code`.
   */
  infer(
    model: string,
    inputs: Readonly<Record<string, InferInput>>,
    options?: InferOptions,
  ): Promise<InferResult>
  /** The same for decoupled models: answers as they come. Leaving the loop ends the call. */
  stream(
    model: string,
    inputs: Readonly<Record<string, InferInput>>,
    options?: InferOptions,
  ): AsyncIterable<InferResult>
  readonly models: {
    /** With `--model-control-mode=explicit`, as are `unload`. Rejects with the reason. */
    load(model: string): Promise<void>
    unload(model: string): Promise<void>
    isReady(model: string, version?: number): Promise<boolean>
  }
}

/** What a model's module, or its default export, has. */
export interface ModelModule {
  readonly execute: Execute
  readonly initialize?: Initialize
  readonly finalize?: Finalize
  readonly config?: Config
  readonly autoComplete?: AutoComplete
}
