import type { OrtApi } from './api.ts'
import type { Pointer } from './functions.ts'
import { addressOf } from './memory.ts'
import type { PointerTable } from './pointer-table.ts'
import type { Session } from './session.ts'

/** The names and values of one run, as C strings and OrtValues. */
export interface BoundTensors {
  readonly inputNames: PointerTable
  readonly inputValues: PointerTable
  readonly outputNames: PointerTable
  /** 0 = ONNX Runtime allocates it. */
  readonly outputValues: PointerTable
}

/**
 * Inputs and outputs that are tied to a session before its run, one run at a time. Binding an input is what copies it to
 * the session's device, on the calling thread.
 */
export class IoBinding {
  readonly #api: OrtApi
  readonly #session: Session
  #pointer: Pointer

  constructor(api: OrtApi, session: Session) {
    this.#api = api
    this.#session = session
    this.#pointer = api.result((out) => api.createIoBinding(session.pointer, out))
  }

  /** Ties all of them; returns the status of the first call that fails, 0 = none. Outputs without a value are left in CPU memory. */
  bind(tensors: BoundTensors): Pointer {
    const { inputNames, inputValues, outputNames, outputValues } = tensors
    const api = this.#api
    for (let i = 0; i < inputNames.length; i++) {
      const status = api.bindInput(this.#pointer, inputNames.get(i), inputValues.get(i))
      if (status !== 0) return status
    }
    for (let i = 0; i < outputNames.length; i++) {
      const value = outputValues.get(i)
      const status =
        value === 0
          ? api.bindOutputToDevice(this.#pointer, outputNames.get(i), api.cpuMemory)
          : api.bindOutput(this.#pointer, outputNames.get(i), value)
      if (status !== 0) return status
    }
    return api.synchronizeBoundInputs(this.#pointer)
  }

  run(options: Pointer): Pointer {
    return this.#api.runWithBinding(this.#session.pointer, options, this.#pointer)
  }

  runAsync(options: Pointer, done: (error: Error | null, status: Pointer) => void): void {
    this.#api.runWithBinding.async(this.#session.pointer, options, this.#pointer, done)
  }

  /** After a successful run: waits for the outputs and puts those that ONNX Runtime allocated into `outputValues`, to be released. */
  take(tensors: BoundTensors): Pointer {
    const api = this.#api
    const { outputValues } = tensors
    const status = api.synchronizeBoundOutputs(this.#pointer)
    if (status !== 0) return status
    let allocated = false
    for (let i = 0; i < outputValues.length; i++) allocated ||= outputValues.get(i) === 0
    return allocated ? this.#takeAllocated(outputValues) : 0
  }

  #takeAllocated(outputValues: PointerTable): Pointer {
    const api = this.#api
    const list = new BigUint64Array(1)
    const count = new BigUint64Array(1)
    const status = api.getBoundOutputValues(this.#pointer, api.allocator, list, count)
    if (status !== 0) return status
    const address = Number(list[0])
    const values = new BigUint64Array(Math.max(1, Number(count[0])))
    api.library.copy(addressOf(values), address, Number(count[0]) * 8)
    for (let i = 0; i < outputValues.length; i++) {
      const value = Number(values[i])
      // One that was given comes back as one more reference to the same tensor.
      if (outputValues.get(i) === 0) outputValues.set(i, value)
      else api.releaseValue(value)
    }
    return api.allocatorFree(api.allocator, address)
  }

  /** Lets go of every tensor. After each run: the memory of some of them is not ours. */
  clear(): void {
    this.#api.clearBoundInputs(this.#pointer)
    this.#api.clearBoundOutputs(this.#pointer)
  }

  /** Idempotent; nothing may run. */
  close(): void {
    if (this.#pointer !== 0) this.#api.releaseIoBinding(this.#pointer)
    this.#pointer = 0
  }
}
