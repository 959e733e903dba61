import { setMaxListeners } from 'node:events'
import { ServerError } from '../../core/errors.ts'
import type { Datatype, InputTensor, ModelRequest, Parameters } from '../../core/model-api/types.ts'
import type { WireParameters, WireRequest } from './typescript-messages.ts'
import { findTensor, ReceivedTensor } from './typescript-tensors.ts'
import { tensorOf } from './typescript-wire.ts'

/** A request as models see it: tensors are views on the message it came with. */
export class ReceivedRequest implements ModelRequest {
  readonly id: string
  readonly inputs: readonly InputTensor[]
  readonly outputs: readonly string[] | null
  readonly parameters: Parameters
  readonly priority: number
  readonly timeoutUs: number
  readonly sequenceId: bigint | string
  readonly sequenceStart: boolean
  readonly sequenceEnd: boolean
  readonly batchSize: number
  /** Its place among what this instance runs. */
  readonly run: number
  readonly index: number
  #abort: AbortController | null = null
  #cancelled = false

  constructor(wire: WireRequest, place: { run: number; index: number; buffer: ArrayBuffer }) {
    this.id = wire.id
    this.inputs = wire.inputs.map((input) => new ReceivedTensor(tensorOf(input, place.buffer)))
    this.outputs = wire.outputs
    this.parameters = recordOf(wire.parameters)
    this.priority = wire.priority
    this.timeoutUs = wire.timeoutUs
    this.sequenceId = wire.sequenceId
    this.sequenceStart = wire.sequenceStart
    this.sequenceEnd = wire.sequenceEnd
    this.batchSize = wire.batchSize
    this.run = place.run
    this.index = place.index
  }

  input<D extends Datatype = Datatype>(name: string, datatype?: D): InputTensor<D> {
    return findTensor(this.inputs, 'input', name, datatype)
  }

  /** Made when it is first asked for: most models never do. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController()
      // Every call to another model listens.
      setMaxListeners(0, this.#abort.signal)
      if (this.#cancelled) this.#abort.abort()
    }
    return this.#abort.signal
  }

  get cancelled(): boolean {
    return this.#cancelled
  }

  /** Nobody waits for it any more. Idempotent. */
  cancel(): void {
    this.#cancelled = true
    this.#abort?.abort()
  }
}

export function recordOf(parameters: WireParameters): Parameters {
  return parameters === null ? {} : Object.fromEntries(parameters)
}

/** Throws INVALID_ARG for a value that no client could be told. */
export function parametersOf(record: Parameters | undefined): WireParameters {
  const entries = Object.entries(record ?? {})
  for (const [name, value] of entries) {
    const kind = typeof value
    if (kind === 'string' || kind === 'boolean' || kind === 'number' || kind === 'bigint') continue
    throw new ServerError('INVALID_ARG', `parameter '${name}' is a ${kind}`)
  }
  return entries.length === 0 ? null : new Map(entries)
}
