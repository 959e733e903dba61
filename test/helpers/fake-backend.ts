import type {
  Backend,
  BackendModel,
  Batch,
  BatchDone,
  BatchResult,
  DecoupledAnswers,
  Instance,
  ModelIo,
  ModelSource,
  Placement,
} from '../../core/backend/types.ts'
import type { ServerError } from '../../core/errors.ts'
import type { InferRequest } from '../../core/infer.ts'
import type { Clock } from '../../core/platform.ts'
import type { Tensor } from '../../core/tensor.ts'

export type Compute = (batch: Batch) => BatchResult | ServerError

/** What one execution looked like; copied, because a scheduler may reuse its batch record. */
export interface RecordedBatch {
  readonly requests: readonly InferRequest[]
  readonly size: number
  readonly ids: readonly string[]
  readonly atNs: number
  /** Decoupled models only. */
  readonly answers: DecoupledAnswers | null
}

/** An instance that records what it runs and finishes when the test says so. */
export interface FakeInstance extends Instance {
  readonly placement: Placement
  readonly batches: readonly RecordedBatch[]
  /** While true, batches stay in flight until {@link finish}. */
  paused: boolean
  readonly running: boolean
  /** Requests of the batch in flight. */
  readonly current: readonly InferRequest[]
  /** Completes the batch in flight, with `error` when given. */
  finish(error?: ServerError): void
  /** Requests whose cancellation it was told of. */
  readonly cancellations: readonly InferRequest[]
  /** The next execution answers with this error. */
  failNext(error: ServerError): void
  readonly terminated: number
  readonly closed: number
}

export interface FakeInstanceOptions {
  /** What is computed. Default {@link identity}. */
  readonly compute?: Compute
  readonly clock?: Clock
  /** Executions take this long on `clock`; 0 = inline, before `execute` returns. */
  readonly durationNs?: number
  readonly paused?: boolean
  /** Whether it hears of single requests that are cancelled. Default false: it is terminated when none is left. */
  readonly hearsCancel?: boolean
  readonly placement?: Placement
}

const HOST: Placement = { name: 'fake_0', kind: 'KIND_CPU', device: 0 }

/** Joins one input of all requests along the rows, by the plainest way there is. */
export function joinInput(batch: Batch, index: number): Tensor {
  const first = batch.requests[0]!.inputs[index]!
  const parts = batch.requests.map((request) => request.inputs[index]!.data)
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part, at)
    at += part.length
  }
  if (batch.requests.length === 1) return { ...first, data }
  return { ...first, shape: [batch.size, ...first.shape.slice(1)], data }
}

/** `INPUTn` comes back as `OUTPUTn`; any other name comes back as itself. */
export const identity: Compute = (batch) => ({
  outputs: batch.requests[0]!.inputs.map((input, index) => ({
    ...joinInput(batch, index),
    name: input.name.replace(/^INPUT/, 'OUTPUT'),
  })),
})

/** INT32 add and subtract: OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1. */
export const addSub: Compute = (batch) => {
  const [a, b] = [joinInput(batch, 0), joinInput(batch, 1)]
  const [x, y] = [toInt32(a.data), toInt32(b.data)]
  const make = (name: string, values: Int32Array): Tensor => ({
    name,
    datatype: 'INT32',
    shape: a.shape,
    data: new Uint8Array(values.buffer),
  })
  return {
    outputs: [
      make(
        'OUTPUT0',
        x.map((value, i) => value + (y[i] as number)),
      ),
      make(
        'OUTPUT1',
        x.map((value, i) => value - (y[i] as number)),
      ),
    ],
  }
}

function toInt32(data: Uint8Array): Int32Array {
  return new Int32Array(data.slice().buffer)
}

export function createFakeInstance(options: FakeInstanceOptions = {}): FakeInstance {
  const compute = options.compute ?? identity
  const batches: RecordedBatch[] = []
  let failure: ServerError | null = null
  let pending: { batch: Batch; done: BatchDone; answers: DecoupledAnswers | null } | null = null
  const cancellations: InferRequest[] = []
  let terminated = 0
  let closed = 0

  const finish = (error?: ServerError): void => {
    if (pending === null) throw new Error('no batch is in flight')
    const { batch, done, answers } = pending
    // Computed before the record is given up: the scheduler may reuse `batch` once `done` was called.
    const result = error ?? failure ?? (answers === null ? compute(batch) : { outputs: [] })
    failure = null
    pending = null
    done(result)
  }
  return {
    placement: options.placement ?? HOST,
    paused: options.paused ?? false,
    batches,
    get running() {
      return pending !== null
    },
    get current() {
      return pending?.batch.requests ?? []
    },
    get terminated() {
      return terminated
    },
    get closed() {
      return closed
    },
    ...(options.hearsCancel === true
      ? { cancelled: (request: InferRequest) => void cancellations.push(request) }
      : {}),
    cancellations,
    execute(batch, _marks, done, answers = null) {
      if (pending !== null) throw new Error('an instance runs one batch at a time')
      pending = { batch, done, answers }
      batches.push({
        requests: [...batch.requests],
        size: batch.size,
        ids: batch.requests.map((request) => request.id),
        atNs: options.clock?.now() ?? 0,
        answers,
      })
      if (this.paused) return
      const duration = options.durationNs ?? 0
      if (duration > 0 && options.clock !== undefined) options.clock.after(duration, () => finish())
      else finish()
    },
    finish,
    failNext(error) {
      failure = error
    },
    terminate() {
      terminated++
    },
    async close() {
      closed++
    },
  }
}

export interface FakeBackendOptions extends FakeInstanceOptions {
  /** Default `fake`. */
  readonly name?: string
  /** Default '': the model needs no file. */
  readonly defaultModelFilename?: string
  readonly defaultCpuInstances?: number
  readonly gpus?: readonly number[]
  /** What model files say of themselves. */
  readonly io?: ModelIo
  /** Runs inside every load: throw to fail it, return a promise to delay it. */
  readonly onLoad?: (source: ModelSource) => void | Promise<void>
  /** Runs inside every instance creation. */
  readonly onInstance?: (placement: Placement) => void | Promise<void>
}

export interface FakeBackend extends Backend {
  /** Every source that was loaded, in order. */
  readonly loads: readonly ModelSource[]
  /** Every instance ever made, in order. */
  readonly instances: readonly FakeInstance[]
  /** Models that were closed. */
  readonly closedModels: number
}

/** A backend without model files whose instances the test controls. */
export function createFakeBackend(options: FakeBackendOptions = {}): FakeBackend {
  const loads: ModelSource[] = []
  const instances: FakeInstance[] = []
  let closedModels = 0

  const createModel = (): BackendModel => ({
    ...(options.io === undefined ? {} : { io: options.io }),
    async instance(placement) {
      await options.onInstance?.(placement)
      const instance = createFakeInstance({ ...options, placement })
      instances.push(instance)
      return instance
    },
    async close() {
      closedModels++
    },
  })
  return {
    name: options.name ?? 'fake',
    defaultModelFilename: options.defaultModelFilename ?? '',
    ...(options.defaultCpuInstances === undefined
      ? {}
      : { defaultCpuInstances: options.defaultCpuInstances }),
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
    loads,
    instances,
    get closedModels() {
      return closedModels
    },
    async load(source) {
      loads.push(source)
      await options.onLoad?.(source)
      return createModel()
    },
  }
}
