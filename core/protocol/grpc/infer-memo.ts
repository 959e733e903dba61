import { ServerError } from '../../errors.ts'
import { InferRequest, type ResponseSink } from '../../infer.ts'
import type { InferenceServer, ServedModel } from '../../server-types.ts'
import type { RegionLease, SharedMemory } from '../../shared-memory/types.ts'
import type { Tensor } from '../../tensor.ts'
import type { ProtocolLimits } from '../limits.ts'
import { bindInferMessage } from './decode-infer.ts'
import { type InferMessage, parseInferMessage } from './infer-message.ts'
import { InferScan } from './infer-scan.ts'
import { MEMO_KEY_BYTES, MemoEntries, type MemoEntry, type MemoSlot } from './memo-entries.ts'
import { MessageMemory } from './message-memory.ts'
import { parseModelVersion } from './model-version.ts'
import { readText } from './proto-text.ts'
import type { GrpcInferRequest, GrpcOutput, ResponseMemo } from './types.ts'

/**
 * From the bytes of a ModelInferRequest to a checked {@link InferRequest}, in two steps:
 *
 *     const read = memo.read(message)          // whose model, which id; only ProtoError
 *     … may this caller use read.modelName? …
 *     const bound = memo.bind(read, { owner, sink, stream })   // ServerError with Triton's texts
 *     bound.model.submit(bound.request)
 *     … encodeInferResponse({ …bound, id: bound.request.id, response, … })
 *     bound.lease?.close()
 *
 * Clients repeat everything but id and raw tensors from request to request. What those bytes mean, and what the model's
 * check concluded, is remembered, so that a repeat costs a look at the top-level tags, one comparison and the views. One
 * memo serves all connections.
 */
export class InferMemo {
  readonly #options: InferMemoOptions
  readonly #scan = new InferScan()
  readonly #memory = new MessageMemory()
  readonly #models = new WeakMap<ServedModel, ResponseMemo>()
  readonly #entries = new MemoEntries()
  #generation = -1

  constructor(options: InferMemoOptions) {
    this.#options = options
  }

  /** Messages remembered now. */
  get size(): number {
    return this.#entries.size
  }

  /** Reads as much as is needed to say whom `message` concerns. Throws ProtoError when it is malformed. */
  read(message: Uint8Array): ReadInfer {
    const entry = this.#recall(message)
    if (entry !== null) {
      const id = this.#id(message)
      const inputs = id === null ? null : this.#views(entry, message)
      if (id !== null && inputs !== null) {
        const { modelName, modelVersion } = entry
        return { message, modelName, modelVersion, id, entry, inputs, parsed: null }
      }
    }
    const parsed = parseInferMessage(message, this.#options.limits)
    const { modelName, modelVersion, id } = parsed
    return { message, modelName, modelVersion, id, entry: null, inputs: null, parsed }
  }

  /**
   * Finds the model and checks the request. To be submitted in the same turn. Throws ServerError with Triton's texts; a
   * lease taken on the way is then closed.
   */
  bind(read: ReadInfer, options: BindOptions): BoundInfer {
    const { entry, inputs } = read
    const { server, limits } = this.#options
    if (entry === null || inputs === null || entry.generation !== server.generation) {
      return this.#bindFully(read, options)
    }
    if (entry.decoupled && !options.stream) throw decoupledRefusal()
    const request = new InferRequest(
      {
        id: read.id,
        inputs,
        outputs: entry.outputNames,
        priority: entry.priority,
        timeoutUs: entry.timeoutUs,
      },
      options.sink,
    )
    request.batchSize = entry.batchSize
    const { model, outputs, emptyFinal } = entry
    return { request, model, outputs, emptyFinal, lease: null, memo: entry, limits }
  }

  /**
   * `bound` for the version that is to run it, where versions share the traffic of its model; `bound` itself elsewhere. To
   * be called when the request has all that its sender and its header say. Throws what that version's check says.
   */
  route(bound: BoundInfer): BoundInfer {
    const { request, outputs } = bound
    if (bound.model.route === undefined) return bound
    const model = bound.model.route(request)
    model.check(request)
    return { ...bound, model, memo: this.#responses(model, outputs) }
  }

  #bindFully(read: ReadInfer, options: BindOptions): BoundInfer {
    const { server, limits, sharedMemory } = this.#options
    const { generation } = server
    const message = read.parsed ?? parseInferMessage(read.message, limits)
    if (message.problem !== null) throw message.problem
    const model = server.model(message.modelName, parseModelVersion(message.modelVersion))
    const decoupled = model.config.model_transaction_policy?.decoupled === true
    if (decoupled && !options.stream) throw decoupledRefusal()
    const bound = bindInferMessage(message, { limits, sharedMemory, owner: options.owner })
    const request = new InferRequest(bound.options, options.sink)
    try {
      model.check(request)
    } catch (error) {
      bound.lease?.close()
      throw error
    }
    const { outputs, emptyFinal, lease } = bound
    const memo =
      this.#learn({ read, message, bound, request, model, decoupled, generation }) ??
      this.#responses(model, outputs)
    return { request, model, outputs, emptyFinal, lease, memo, limits }
  }

  /** The answers of a model whose requests are not remembered are alike all the same, unless classes or regions are asked for. */
  #responses(model: ServedModel, outputs: readonly GrpcOutput[] | null): ResponseMemo | null {
    if (outputs?.some((one) => one.classification > 0 || one.region !== null)) return null
    let memo = this.#models.get(model)
    if (memo === undefined) {
      memo = { template: null, memory: this.#memory }
      this.#models.set(model, memo)
    }
    return memo
  }

  /** The entry whose key `message` has; null also where it cannot be used. */
  #recall(message: Uint8Array): MemoEntry | null {
    const scan = this.#scan
    const { generation } = this.#options.server
    if (generation !== this.#generation) {
      this.#entries.clear()
      this.#generation = generation
    }
    if (!scan.scan(message) || scan.keySize > MEMO_KEY_BYTES) return null
    return this.#entries.find(scan, message)
  }

  /** null = to be looked at in full. */
  #id(message: Uint8Array): string | null {
    const { idAt, idEnd } = this.#scan
    return idEnd - idAt > this.#options.limits.idBytes ? null : readText(message, idAt, idEnd)
  }

  /** The inputs in model order; null when the raw tensors have other sizes than those that were checked. */
  #views(entry: MemoEntry, message: Uint8Array): Tensor[] | null {
    const { rawAt, rawSize, rawCount } = this.#scan
    const { slots } = entry
    if (rawCount !== slots.length) return null
    const inputs: Tensor[] = new Array(slots.length)
    for (let i = 0; i < slots.length; i++) {
      const { name, datatype, shape, raw, size } = slots[i] as MemoSlot
      if (rawSize[raw] !== size) return null
      const start = message.byteOffset + (rawAt[raw] as number)
      inputs[i] = { name, datatype, shape, data: new Uint8Array(message.buffer, start, size) }
    }
    return inputs
  }

  /** Remembers a request of which nothing but id and raw tensors will change, and nothing depends on the bytes. */
  #learn(checked: Checked): MemoEntry | null {
    const { read, message, bound, request, model, decoupled, generation } = checked
    if (model.checksContent || generation !== this.#generation || !isPlain(bound)) return null
    const { server } = this.#options
    const scan = this.#scan
    if (server.generation !== generation || !scan.scan(read.message)) return null
    // Inputs by value or in shared memory have no raw tensor.
    if (scan.keySize > MEMO_KEY_BYTES || scan.rawCount !== message.inputs.length) return null
    const slots: MemoSlot[] = []
    for (const { name, datatype, shape, data } of request.inputs) {
      const raw = message.inputs.findIndex((input) => input.name === name)
      slots.push({ name, datatype, shape, raw, size: data.length })
    }
    if (slots.length !== scan.rawCount) return null
    const entry: MemoEntry = {
      key: scan.copyKey(read.message),
      generation,
      model,
      decoupled,
      modelName: message.modelName,
      modelVersion: message.modelVersion,
      slots,
      batchSize: request.batchSize,
      outputNames: request.outputs,
      outputs: bound.outputs,
      priority: request.priority,
      timeoutUs: request.timeoutUs,
      emptyFinal: bound.emptyFinal,
      template: null,
      memory: this.#memory,
    }
    this.#entries.set(scan.hash(read.message), entry)
    return entry
  }
}

export interface InferMemoOptions {
  readonly server: Pick<InferenceServer, 'generation' | 'model'>
  readonly limits: ProtocolLimits
  readonly sharedMemory: SharedMemory | null
}

/** A message of which is known whom it concerns. The names are as the client wrote them. */
export interface ReadInfer {
  readonly message: Uint8Array
  readonly modelName: string
  readonly modelVersion: string
  readonly id: string
  readonly entry: MemoEntry | null
  readonly inputs: readonly Tensor[] | null
  readonly parsed: InferMessage | null
}

export interface BindOptions {
  /** The principal's id; '' = nobody in particular. */
  readonly owner: string
  readonly sink: ResponseSink
  /** Whether decoupled models are served: ModelStreamInfer. */
  readonly stream: boolean
}

/** A request that passed its model's check, with what its answers need. */
export interface BoundInfer {
  readonly request: InferRequest
  readonly model: ServedModel
  readonly outputs: readonly GrpcOutput[] | null
  readonly emptyFinal: boolean
  /** To be closed when the last answer was encoded or none will be. */
  readonly lease: RegionLease | null
  /** For the encoder; null = these answers have nothing in common with others. */
  readonly memo: ResponseMemo | null
  readonly limits: ProtocolLimits
}

interface Checked {
  readonly read: ReadInfer
  readonly message: InferMessage
  readonly bound: GrpcInferRequest
  readonly request: InferRequest
  readonly model: ServedModel
  readonly decoupled: boolean
  readonly generation: number
}

function isPlain({ options, lease }: GrpcInferRequest): boolean {
  if (lease !== null || options.parameters !== null || options.sequenceId !== 0n) return false
  return options.sequenceStart !== true && options.sequenceEnd !== true
}

function decoupledRefusal(): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    "ModelInfer RPC doesn't support models with decoupled transaction policy",
  )
}
