import type { InferRequest } from '../infer.ts'
import type { Tensor } from '../tensor.ts'
import type { Deadlined } from './deadline-heap.ts'
import type { SequenceKey } from './sequence-id.ts'
import type { SequenceSlot } from './sequence-slots.ts'
import { type Waiting, WaitingLine } from './waiting.ts'

/**
 * One sequence between its START and its end, and the line of its requests that wait. It has a slot, or it waits whole in
 * the backlog. Sits in the heap of idle deadlines while it has a slot and may still get requests.
 */
export class Sequence extends WaitingLine implements Deadlined {
  readonly key: SequenceKey
  /** What tells the model whose row this is; null where it does not ask. */
  readonly idTensor: Tensor | null
  slot: SequenceSlot | null = null
  /** False once its END was taken or it was ended by force: its id is free for another. */
  open = true
  /** The request that is being executed, or is on its way there. */
  running: InferRequest | null = null
  /** Inputs of {@link running} as the client sent them. */
  inputs: readonly Tensor[] = []
  /** The model's own hook on {@link running}. */
  onSettled: InferRequest['onSettled'] = null
  /** When {@link running} began to wait. */
  queuedNs = 0
  /** {@link running} asked for another step. */
  again = false
  /** Last request or answer. */
  touchedNs = 0
  deadlineNs = 0
  heapIndex = -1
  /** Implicit state: what the next step gets. null = the initial state. */
  states: readonly Tensor[] | null = null

  constructor(key: SequenceKey, idTensor: Tensor | null) {
    super()
    this.key = key
    this.idTensor = idTensor
  }

  /** Puts `waiting` before everybody else. */
  unshift(waiting: Waiting): void {
    waiting.line = this
    waiting.next = this.head
    if (this.head === null) this.tail = waiting
    else this.head.previous = waiting
    this.head = waiting
    this.size++
  }
}
