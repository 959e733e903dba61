import type { ServerResponse } from 'node:http'
import { tailorRequest } from '../../../core/access/tailor-request.ts'
import type { Principal } from '../../../core/access/types.ts'
import type { BufferPool } from '../../../core/buffer-pool.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferResponse, type ResponseSink } from '../../../core/infer.ts'
import { bindInputs } from '../../../core/protocol/rest/bind-inputs.ts'
import { decodeInferRequest } from '../../../core/protocol/rest/decode-request.ts'
import { checkNotDecoupled } from '../../../core/protocol/rest/handle-infer.ts'
import { parseInferHeader } from '../../../core/protocol/rest/infer-header.ts'
import { encodeInferResponse } from '../../../core/protocol/rest/infer-response.ts'
import type { ResponseFormat } from '../../../core/protocol/rest/types.ts'
import type { OnDemand, ServedModel } from '../../../core/server-types.ts'
import { NO_SHARED_MEMORY } from '../../../core/shared-memory/no-shared-memory.ts'
import type { RegionLease, RegionRef } from '../../../core/shared-memory/types.ts'
import type { Tensor } from '../../../core/tensor.ts'
import type { Trace, Tracer } from '../../../core/trace/types.ts'
import type { BodyRoom } from './body.ts'
import { sampleExchange, sending } from './exchange-trace.ts'
import { MEMO_HEADER_BYTES, type MemoEntry, splitId, templateFits } from './header-memo.ts'
import type { InferRouteOptions } from './infer-route.ts'
import type { InferTarget } from './infer-target.ts'
import { JOINED_REPLY_BYTES, writeEncoded, writeError, writeTemplate } from './reply.ts'
import { makeTemplate } from './reply-template.ts'
import type { DeferredReply, ReplyTurn } from './reply-turn.ts'
import type { Cancellable, Connection } from './sockets.ts'

const REGION_MEMBER = Buffer.from('"shared_memory_region"')

/** What the exchanges of one listener share. */
export interface ExchangeShare {
  readonly turn: ReplyTurn
  readonly pool: BufferPool
  /** Every exchange was entered there. */
  readonly onDemand: OnDemand | undefined
}

/** One infer request on one connection, from its body to its reply. */
export class InferExchange implements ResponseSink, DeferredReply, BodyRoom, Cancellable {
  readonly #options: InferRouteOptions
  readonly #share: ExchangeShare
  readonly #target: InferTarget
  readonly #headerLength: number
  readonly #principal: Principal
  readonly #fields: readonly string[]
  readonly #connection: Connection
  readonly #response: ServerResponse
  #model: ServedModel | null = null
  #entry: MemoEntry | null = null
  #format: ResponseFormat | null = null
  /** True while the request is handed over: an answer in that time ran inline. */
  #submitting = false
  #pooled: ArrayBuffer | null = null
  #lease: RegionLease | null = null
  #request: InferRequest | null = null
  /** Bytes taken at the gate; -1 = given back. */
  #held: number
  #answer: InferResponse | ServerError | null = null
  #trace: Trace | null = null
  /** When the head of the request came; 0 = nobody traces. */
  headNs = 0

  constructor(
    options: InferRouteOptions,
    share: ExchangeShare,
    target: InferTarget,
    headerLength: number,
    principal: Principal,
    fields: readonly string[],
    connection: Connection,
    response: ServerResponse,
    held: number,
  ) {
    this.#options = options
    this.#share = share
    this.#target = target
    this.#headerLength = headerLength
    this.#principal = principal
    this.#fields = fields
    this.#connection = connection
    this.#response = response
    this.#held = held
    connection.inflight.add(this)
  }

  /** Room at the gate for bytes of the body that were not declared. */
  grow(bytes: number): ServerError | null {
    const refusal = this.#options.gates?.inference.grow(bytes) ?? null
    if (refusal === null) this.#held += bytes
    return refusal
  }

  /** The client is gone: what runs is cancelled; before that there is only its place to give back. */
  cancel(): void {
    if (this.#request === null) this.leave()
    else this.#request.cancel()
  }

  /** Gives back the place and the bytes that were taken at the gate. Idempotent. */
  leave(): void {
    if (this.#held < 0) return
    this.#connection.inflight.delete(this)
    this.#options.gates?.inference.leave(this.#held)
    this.#share.onDemand?.leave(this.#target.name)
    this.#held = -1
  }

  /** Takes the whole body and the pool's memory it lies in. Whatever goes wrong becomes the reply. */
  run(body: Buffer, pooled: ArrayBuffer | null): void {
    this.#pooled = pooled
    try {
      const request = this.#decode(body)
      const forwarded = this.#options.forward?.(this.#fields) ?? null
      tailorRequest(request, this.#principal, forwarded)
      this.#request = request
      const model = this.#model as ServedModel
      if (model.route !== undefined) this.#route(request, model.route(request))
      if (this.headNs !== 0) this.#trace = this.#sample(request)
      this.#submitting = true
      ;(this.#model as ServedModel).submit(request)
      this.#submitting = false
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Another version may say no to what the highest one takes, and names itself in the reply. */
  #route(request: InferRequest, model: ServedModel): void {
    model.check(request)
    this.#model = model
    this.#entry = null
  }

  #sample(request: InferRequest): Trace | null {
    const { tracer } = this.#options
    return sampleExchange(tracer as Tracer, request, this.#target.name, this.#fields, this.headNs)
  }

  #decode(body: Buffer): InferRequest {
    const length = this.#headerLength
    // A whole header that binary tensors follow can be remembered; -1 fails the comparison.
    if (length > 0 && length <= MEMO_HEADER_BYTES && length <= body.length) {
      return this.#decodeKnown(body, length)
    }
    // Where no tail follows, clients leave the length out. Then a header is worth remembering if it names regions.
    if (length === -1 && body.length <= MEMO_HEADER_BYTES && body.includes(REGION_MEMBER)) {
      return this.#decodeKnown(body, body.length)
    }
    return this.#decodeOnce(body)
  }

  #decodeKnown(body: Buffer, length: number): InferRequest {
    const { key, id } = splitId(body.toString('latin1', 0, length))
    const entry = this.#target.memo.get(key, this.#options.server.generation)
    if (entry === undefined) return this.#learn(key, id, body, length)
    if (body.length - length !== entry.tailBytes) return this.#decodeOnce(body)
    return this.#recall(entry, id, body, length)
  }

  /** The header was seen before: only the bytes are new. */
  #recall(entry: MemoEntry, id: string, body: Buffer, length: number): InferRequest {
    const { slots } = entry
    const start = body.byteOffset + length
    const lease = entry.leases ? this.#takeLease() : null
    const inputs: Tensor[] = new Array(slots.length)
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as (typeof slots)[number]
      inputs[i] = {
        name: slot.name,
        datatype: slot.datatype,
        shape: slot.shape,
        data:
          slot.region !== null && lease !== null
            ? lease.input(slot.region)
            : new Uint8Array(body.buffer, start + slot.offset, slot.size),
      }
    }
    if (lease !== null) for (const region of entry.outputRegions) lease.output(region)
    this.#model = entry.model
    this.#entry = entry
    this.#format = entry.format
    const request = new InferRequest(
      {
        id,
        inputs,
        outputs: entry.outputs,
        priority: entry.priority,
        timeoutUs: entry.timeoutUs,
      },
      this,
    )
    request.batchSize = entry.batchSize
    return request
  }

  /** Parses and checks a header that can be remembered, and remembers it when nothing in it depends on the bytes. */
  #learn(key: string, id: string, body: Buffer, length: number): InferRequest {
    const { server, limits } = this.#options
    const { memo, name, version } = this.#target
    const generation = server.generation
    const model = server.model(name, version)
    checkNotDecoupled(model)
    const header = parseInferHeader(body.subarray(0, length), limits)
    if (!header.reusable) return this.#decodeOnce(body)
    const tail = body.subarray(length)
    const lease = header.regions ? this.#takeLease() : null
    const inputs = bindInputs(header, tail, model.name, lease)
    const request = new InferRequest({ ...header, inputs, outputs: header.outputNames }, this)
    model.check(request)
    this.#model = model
    this.#format = header.format
    const plain =
      header.parameters === null &&
      header.sequenceId === 0n &&
      !header.sequenceStart &&
      !header.sequenceEnd &&
      header.id === id
    if (plain && !model.checksContent && memo.generation === generation) {
      this.#entry = {
        model,
        slots: request.inputs.map((input) => {
          const region = header.inputs.find(({ name }) => name === input.name)?.region ?? null
          return {
            name: input.name,
            datatype: input.datatype,
            shape: input.shape,
            offset: region === null ? input.data.byteOffset - tail.byteOffset : 0,
            size: input.data.length,
            region,
          }
        }),
        tailBytes: tail.length,
        batchSize: request.batchSize,
        outputs: request.outputs,
        outputRegions: regionsOf(header.format),
        leases: header.regions,
        format: header.format,
        priority: request.priority,
        timeoutUs: request.timeoutUs,
        template: null,
      }
      memo.set(key, this.#entry)
    }
    return request
  }

  #decodeOnce(body: Buffer): InferRequest {
    const { server, limits } = this.#options
    const model = server.model(this.#target.name, this.#target.version)
    checkNotDecoupled(model)
    const headerLength = this.#headerLength === -1 ? undefined : this.#headerLength
    const { options, format, lease } = decodeInferRequest(body, headerLength, model, limits, {
      sharedMemory: this.#options.sharedMemory,
      owner: this.#principal.id,
    })
    this.#lease = lease
    const request = new InferRequest(options, this)
    model.check(request)
    this.#model = model
    this.#format = format
    return request
  }

  #takeLease(): RegionLease {
    const { sharedMemory = NO_SHARED_MEMORY } = this.#options
    this.#lease = sharedMemory.lease(this.#principal.id)
    return this.#lease
  }

  answer(request: InferRequest, answer: InferResponse | ServerError | null, final: boolean): void {
    if (!final) return
    this.#request = request
    this.#answer = answer
    if (!this.#submitting || isLarge(answer) || !this.#share.turn.take(this)) this.flush()
  }

  flush(): void {
    this.leave()
    if (this.#trace !== null) sending(this.#options.tracer as Tracer, this.#trace, this.#response)
    const request = this.#request as InferRequest
    const answer = this.#answer
    if (this.#response.destroyed) {
      const answered = answer !== null && !(answer instanceof ServerError)
      if (answered) answer.release?.()
      this.#lease?.close(answered)
      return
    }
    if (this.#connection.last) this.#response.shouldKeepAlive = false
    try {
      if (answer === null) throw new ServerError('INTERNAL', 'expected a single response, got 0')
      if (answer instanceof ServerError) throw answer
      this.#reply(request, answer)
    } catch (error) {
      this.#fail(error)
    }
  }

  #reply(request: InferRequest, answer: InferResponse): void {
    const entry = this.#entry
    const known = entry?.template
    if (known && templateFits(known, answer)) {
      const { regions } = known
      const inReply = regions === null ? answer.outputs : this.#store(regions, answer.outputs)
      const release = this.#release(answer, inReply.length === 0)
      writeTemplate(this.#response, known, request.id, inReply, release, this.#options.dialect)
      return
    }
    const model = this.#model as ServedModel
    const format = this.#format as ResponseFormat
    const encoded = encodeInferResponse({
      model,
      id: request.id,
      format,
      response: answer,
      limits: this.#options.limits,
      lease: this.#lease,
    })
    if (entry !== null) entry.template = makeTemplate(format, answer, encoded, request.id)
    const release = this.#release(answer, encoded.tails.length === 0)
    writeEncoded(this.#response, encoded, release, this.#options.dialect)
  }

  /** Writes outputs to their regions; returns the others. */
  #store(regions: readonly (RegionRef | null)[], outputs: readonly Tensor[]): Tensor[] {
    const others: Tensor[] = []
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i] as Tensor
      const region = regions[i] ?? null
      if (region === null) others.push(output)
      else this.#lease?.write(output.name, region, output.data)
    }
    return others
  }

  /**
   * What to call once nothing reads the answer or the request's body any more: the run is over, the reply written.
   * `empty` says that no output is in the reply, so that nothing reads inputs in regions from now on.
   */
  #release(answer: InferResponse, empty: boolean): (() => void) | undefined {
    const pooled = this.#pooled
    const lease = this.#lease
    if (lease !== null) {
      const response = this.#response
      if (empty) lease.close(true)
      else response.once('close', () => lease.close(response.writableFinished))
    }
    if (pooled === null) return answer.release
    return () => {
      answer.release?.()
      this.#share.pool.give(pooled)
    }
  }

  #fail(error: unknown): void {
    this.leave()
    this.#lease?.close()
    const known = ServerError.from(error)
    if (known.cause !== undefined) this.#options.log.error(`infer: ${String(known.cause)}`)
    if (this.#response.headersSent) this.#response.destroy()
    else writeError(this.#response, known, this.#options.dialect)
  }
}

function regionsOf({ outputs }: ResponseFormat): RegionRef[] {
  const regions: RegionRef[] = []
  for (const { region } of outputs ?? []) if (region) regions.push(region)
  return regions
}

/** A large reply is not held back: its memory is wanted for the next, and one wake-up more is nothing beside it. */
function isLarge(answer: InferResponse | ServerError | null): boolean {
  if (answer === null || answer instanceof ServerError) return false
  for (const output of answer.outputs) if (output.data.length > JOINED_REPLY_BYTES) return true
  return false
}
