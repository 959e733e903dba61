import type { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../../core/infer.ts'
import type { Clock } from '../../../core/platform.ts'
import { withModel } from '../../../core/protocol/bring-model.ts'
import type { Server } from '../../../core/server.ts'
import type { Tracer } from '../../../core/trace/types.ts'
import { intsOf } from './mixed-backend.ts'

/** What inputs are overwritten with when their request is over, as memory that is used again. */
const POISON = 0xdd

export interface Outcome {
  /** Values of each response, by output. */
  readonly responses: readonly Readonly<Record<string, readonly number[]>>[]
  readonly error: ServerError | null
}

export interface Asking {
  readonly model: string
  readonly version: string
  readonly xs: readonly number[]
  readonly scalar: boolean
  readonly options: Omit<InferRequestOptions, 'inputs'>
  /** Turns of the event loop after which the client leaves; 0 = it stays. */
  readonly leaveAfter: number
  /** Whether answers are read a turn later than they come. */
  readonly readsLate: boolean
}

/** Sends requests as front ends do, and reads answers as they do: the memory of both is used again as soon as it may be. */
export class MixedClient {
  readonly #server: Server
  readonly #clock: Clock
  readonly #tracer: Tracer
  sampled = 0
  /** Final answers that came although there had been one. */
  settledTwice = 0

  constructor(server: Server, clock: Clock, tracer: Tracer) {
    this.#server = server
    this.#clock = clock
    this.#tracer = tracer
  }

  async ask(asking: Asking): Promise<Outcome> {
    const { onDemand } = this.#server
    const leaving = new AbortController()
    let answered: Promise<Outcome> | null = null
    const send = (): void => {
      answered = this.#send(asking)
    }
    try {
      if (onDemand === undefined || onDemand.enter(asking.model)) {
        send()
        onDemand?.leave(asking.model)
      } else {
        const late =
          asking.leaveAfter === 0 ? null : turns(asking.leaveAfter, () => leaving.abort())
        await withModel(onDemand, asking.model, leaving.signal, send)
        await late
      }
    } catch (error) {
      return { responses: [], error: error as ServerError }
    }
    return answered as unknown as Promise<Outcome>
  }

  #send({ model, version, xs, scalar, options, leaveAfter, readsLate }: Asking): Promise<Outcome> {
    // Not at the beginning of its memory, as in a body.
    const memory = new Uint8Array(16 + 4 * xs.length)
    const data = memory.subarray(16)
    data.set(new Uint8Array(Int32Array.from(xs).buffer))
    const shape = scalar ? [xs.length] : [1, xs.length]
    const trace = this.#tracer.active ? this.#tracer.sample(model, () => undefined) : null
    if (trace !== null) this.sampled++
    return new Promise((resolve) => {
      const responses: Record<string, readonly number[]>[] = []
      let finals = 0
      let unread = 0
      let last: ServerError | null = null
      const end = (): void => {
        if (finals === 0 || unread > 0) return
        memory.fill(POISON)
        trace?.close()
        resolve({ responses, error: last })
      }
      const read = ({ outputs, release }: InferResponse): void => {
        responses.push(Object.fromEntries(outputs.map((one) => [one.name, intsOf(one)])))
        release?.()
        unread--
      }
      const request = new InferRequest(
        { ...options, inputs: [{ name: 'X', datatype: 'INT32', shape, data }] },
        {
          answer: (_request, answer, final) => {
            if (final && ++finals > 1) this.settledTwice++
            if (answer !== null && !('outputs' in answer)) last = answer
            else if (answer !== null) {
              unread++
              if (!readsLate) read(answer)
              else {
                setImmediate(() => {
                  read(answer)
                  end()
                })
              }
            }
            end()
          },
        },
      )
      request.trace = trace?.request ?? null
      request.startNs = this.#clock.now()
      try {
        const served = this.#server.model(model, version)
        served.check(request)
        const chosen = served.route?.(request) ?? served
        if (chosen !== served) chosen.check(request)
        chosen.submit(request)
      } catch (error) {
        trace?.close()
        resolve({ responses: [], error: error as ServerError })
        return
      }
      if (leaveAfter > 0) void turns(leaveAfter, () => request.cancel())
    })
  }
}

async function turns(count: number, then: () => void): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
  then()
}
