import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../../core/infer.ts'
import type { Log } from '../../../core/platform.ts'
import { createScheduler } from '../../../core/schedulers/create.ts'
import type { Scheduler } from '../../../core/schedulers/types.ts'
import { ModelStats } from '../../../core/stats.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  createFakeInstance,
  type FakeInstance,
  type FakeInstanceOptions,
} from '../../helpers/fake-backend.ts'
import { createFakeClock, type FakeClock } from '../../helpers/fake-clock.ts'

export const US = 1000

/** A request that was sent, and what came back. */
export interface Sent {
  readonly request: InferRequest
  readonly id: string
  /** Every call of the sink. */
  readonly answers: (InferResponse | ServerError | null)[]
  /** The one response; fails the test when it is anything else. */
  response(): InferResponse
  /** `CODE text` of the one error; '' while there is none. */
  readonly error: string
  /** The first output as numbers. */
  readonly values: readonly number[]
}

export interface SendOptions extends Partial<InferRequestOptions> {
  readonly rows?: number
  /** Columns of INPUT0. Default 1. */
  readonly columns?: number
  /** Value of every element. Default 0. */
  readonly value?: number
  readonly onAnswer?: () => void
  /** Whether the client is too slow. Default never. */
  readonly congested?: () => boolean
}

export interface Rig {
  readonly clock: FakeClock
  readonly stats: ModelStats
  readonly scheduler: Scheduler
  readonly instances: readonly FakeInstance[]
  /** Where their batches go ahead; `ready` can be set. */
  readonly ahead: readonly FakeLane[]
  readonly log: readonly string[]
  /** Ids in the order in which their final answers came. */
  readonly order: readonly string[]
  send(id: string, options?: SendOptions): Sent
  /** Ids of every batch that started, over all instances, in order of start. */
  readonly batches: readonly (readonly string[])[]
}

export type FakeLane = FakeInstance & { ready: boolean }

export interface RigOptions extends FakeInstanceOptions {
  readonly config?: ModelConfig
  readonly count?: number
  /** Lanes of each instance. Default none. */
  readonly ahead?: number
  readonly delayUntilQueued?: number
  /** What stands before the scheduler. Default nothing. */
  readonly wrap?: (inner: Scheduler, tools: RigTools) => Scheduler
}

export interface RigTools {
  readonly clock: FakeClock
  readonly stats: ModelStats
  readonly log: Log
}

export const IDENTITY: ModelConfig = {
  name: 'm',
  max_batch_size: 8,
  input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [-1] }],
  output: [{ name: 'OUTPUT0', data_type: 'TYPE_INT32', dims: [-1] }],
}

export function int32(name: string, shape: readonly number[], values: readonly number[]): Tensor {
  return { name, datatype: 'INT32', shape, data: new Uint8Array(Int32Array.from(values).buffer) }
}

export function createRig(options: RigOptions = {}): Rig {
  const clock = createFakeClock()
  const stats = new ModelStats()
  const lines: string[] = []
  const log: Log = {
    error: (message) => void lines.push(message),
    warning() {},
    info() {},
    verbose() {},
  }
  const started: (readonly string[])[] = []
  const create = (): FakeInstance => {
    const instance = createFakeInstance({ ...options, clock })
    const execute = instance.execute
    instance.execute = (batch, marks, done, answers) => {
      started.push(batch.requests.map((request) => request.id))
      execute.call(instance, batch, marks, done, answers)
    }
    return instance
  }
  const instances = Array.from({ length: options.count ?? 1 }, () => {
    const lanes = Array.from({ length: options.ahead ?? 0 }, () =>
      Object.assign(create(), { ready: true }),
    )
    return Object.assign(create(), { ahead: lanes })
  })
  const order: string[] = []
  const inner = createScheduler({
    config: { ...IDENTITY, ...options.config },
    instances,
    stats,
    clock,
    log,
    modelName: 'm',
    version: 1,
    delayUntilQueued: options.delayUntilQueued ?? 0,
  })
  const scheduler = options.wrap?.(inner, { clock, stats, log }) ?? inner
  return {
    clock,
    stats,
    scheduler,
    instances,
    ahead: instances.flatMap(({ ahead }) => ahead),
    log: lines,
    order,
    batches: started,
    send(id, sending = {}) {
      const { rows = 1, columns = 1, value = 0, onAnswer, congested: _, ...rest } = sending
      const values = new Array<number>(rows * columns).fill(value)
      const answers: (InferResponse | ServerError | null)[] = []
      const request = new InferRequest(
        { id, inputs: [int32('INPUT0', [rows, columns], values)], ...rest },
        {
          congested: () => sending.congested?.() ?? false,
          answer(_request, answer, final) {
            answers.push(answer)
            if (final) order.push(id)
            onAnswer?.()
          },
        },
      )
      request.batchSize = rows
      scheduler.submit(request)
      return {
        request,
        id,
        answers,
        response() {
          const [answer] = answers
          if (answers.length !== 1) throw new Error(`${id} has ${answers.length} answers`)
          if (answer === null || answer === undefined) throw new Error(`${id} has no response`)
          if (answer instanceof ServerError) throw answer
          return answer
        },
        get error() {
          const [answer] = answers
          return answer instanceof ServerError ? `${answer.code} ${answer.message}` : ''
        },
        get values() {
          const data = this.response().outputs[0]?.data ?? new Uint8Array()
          return [...new Int32Array(data.slice().buffer)]
        },
      }
    },
  }
}
