import type { Access, AccessRefusal, Principal } from '../../core/access/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { Gate, Gates } from '../../core/overload/types.ts'

/** Places and bytes that were taken and not given back; refuses now and then. */
export class CountingGate implements Gate {
  places = 0
  bytes = 0
  /** Requests that were ever let in. */
  entered = 0
  readonly #refuses: () => boolean
  readonly #faults: string[]

  constructor(refuses: () => boolean, faults: string[]) {
    this.#refuses = refuses
    this.#faults = faults
  }

  enter(bytes: number): ServerError | null {
    if (this.#refuses()) return new ServerError('UNAVAILABLE', 'full')
    this.places++
    this.entered++
    this.bytes += bytes
    return null
  }

  grow(bytes: number): ServerError | null {
    if (this.#refuses()) return new ServerError('UNAVAILABLE', 'full')
    this.bytes += bytes
    return null
  }

  leave(bytes: number): void {
    this.places--
    this.bytes -= bytes
    if (this.places < 0 || this.bytes < 0) {
      this.#faults.push(`left once too often: ${this.places} places, ${this.bytes} bytes`)
    }
  }
}

export function countingGates(gate: CountingGate): Gates {
  return { inference: gate, control: gate, probes: gate }
}

/** Everybody may do everything, is counted meanwhile, and loses the right to it now and then. */
export class CountingAccess implements Access {
  inside = 0
  readonly #principal: Principal

  constructor(refuses: () => boolean, faults: string[]) {
    const refusal: AccessRefusal = { kind: 'forbidden', message: 'no more' }
    this.#principal = {
      id: 'somebody',
      sees: () => true,
      recheck: () => (refuses() ? refusal : null),
      enter: () => {
        if (refuses()) return refusal
        this.inside++
        return null
      },
      leave: () => {
        if (--this.inside < 0) faults.push('a principal left once too often')
      },
    }
  }

  authorize(): Principal {
    return this.#principal
  }
}
