import { ServerError } from '../errors.ts'
import { InferRequest, type InferResponse } from '../infer.ts'
import type { Clock } from '../platform.ts'
import type { ServedModel } from '../server-types.ts'
import type { Tensor } from '../tensor.ts'
import { compareOutputs } from './compare-outputs.ts'
import { ShadowRecord } from './shadow-record.ts'
import { ShadowedModel } from './shadowed-model.ts'
import type { ShadowFigures } from './types.ts'

/** Copies of one model's requests that exist at the same time; more are dropped. */
export const MAX_SHADOWS = 16
/** Bytes of inputs and outputs together; larger requests have no shadow. */
export const MAX_SHADOW_BYTES: number = 4 * 1024 * 1024

/**
 * Copies requests of one model for a version on trial. A copy runs when the client has its answer, so that it cannot keep
 * the request waiting, and what comes of it is only counted.
 */
export class ShadowTraffic {
  readonly #clock: Clock
  readonly #records = new Map<number, ShadowRecord>()
  readonly #fronts = new WeakMap<ServedModel, { other: ServedModel; front: ShadowedModel }>()
  #inflight = 0
  #due = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** By version, ascending. */
  get figures(): readonly ShadowFigures[] {
    return [...this.#records.values()].sort((a, b) => a.version - b.version)
  }

  /** `model`, or one that also has `other` run the next request; the latter for `fraction` of the calls, evenly. */
  front(model: ServedModel, other: ServedModel, fraction: number): ServedModel {
    this.#due += fraction
    if (this.#due < 1) return model
    this.#due -= 1
    const known = this.#fronts.get(model)
    if (known?.other === other) return known.front
    const front = new ShadowedModel(model, (request, answer) => this.#copy(request, answer, other))
    this.#fronts.set(model, { other, front })
    return front
  }

  #copy(request: InferRequest, answer: InferResponse, other: ServedModel): void {
    const record = this.#record(other.version)
    const bytes = sizeOf(request.inputs) + sizeOf(answer.outputs)
    if (this.#inflight >= MAX_SHADOWS || bytes > MAX_SHADOW_BYTES) {
      record.count('dropped')
      return
    }
    this.#inflight++
    const outputs = copyTensors(answer.outputs)
    const shadow = new InferRequest(
      {
        id: request.id,
        inputs: copyTensors(request.inputs),
        outputs: request.outputs,
        parameters: request.parameters,
        priority: request.priority,
        owner: request.owner,
      },
      {
        answer: (_shadow, theirs, final) => {
          if (theirs instanceof ServerError) record.count('failed')
          else if (theirs !== null) {
            record.compared(compareOutputs(outputs, theirs.outputs))
            theirs.release?.()
          }
          if (final) this.#inflight--
        },
      },
    )
    this.#clock.nextTurn(() => {
      try {
        other.check(shadow)
      } catch (error) {
        shadow.respond(ServerError.from(error))
        return
      }
      other.submit(shadow)
    })
  }

  #record(version: number): ShadowRecord {
    let record = this.#records.get(version)
    if (record === undefined) {
      record = new ShadowRecord(version)
      this.#records.set(version, record)
    }
    return record
  }
}

function sizeOf(tensors: readonly Tensor[]): number {
  let bytes = 0
  for (const { data } of tensors) bytes += data.length
  return bytes
}

/**
 * The originals lie in memory that is used again once the client has its answer. `slice` would not do: some arrays that come
 * from a socket give views for it.
 */
function copyTensors(tensors: readonly Tensor[]): readonly Tensor[] {
  return tensors.map((tensor) => ({ ...tensor, data: new Uint8Array(tensor.data) }))
}
