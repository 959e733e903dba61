import type { Batch, BatchResult } from '../../../core/backend/types.ts'
import type { ModelConfig, SequenceBatching } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../../core/infer.ts'
import { createScheduler } from '../../../core/schedulers/create.ts'
import type { Scheduler } from '../../../core/schedulers/types.ts'
import { ModelStats } from '../../../core/stats.ts'
import type { Tensor } from '../../../core/tensor.ts'
import {
  createFakeInstance,
  type FakeInstance,
  identity,
  joinInput,
} from '../../helpers/fake-backend.ts'
import { createFakeClock, type FakeClock } from '../../helpers/fake-clock.ts'
import { int32 } from './rig.ts'

/** One request of a sequence that was sent, and what came back. */
export interface Step {
  readonly request: InferRequest
  readonly answers: (InferResponse | ServerError | null)[]
  /** `CODE text`; '' while there is none. */
  readonly error: string
  /** The INT32 numbers of output `name`. Fails the test where there is no response. */
  numbers(name: string): readonly number[]
  output(name: string): Tensor
}

export interface SequenceRig {
  readonly clock: FakeClock
  readonly stats: ModelStats
  readonly scheduler: Scheduler
  readonly instances: readonly FakeInstance[]
  readonly warnings: readonly string[]
  /** Sends `value` as part of sequence `id`; flags: `s` = START, `e` = END. */
  step(id: bigint | string, flags: string, value?: number, more?: Partial<StepOptions>): Step
  /** {@link step}, then the event loop comes to rest. */
  run(id: bigint | string, flags: string, value?: number, more?: Partial<StepOptions>): Step
}

export interface StepOptions extends InferRequestOptions {
  readonly rows: number
}

export interface SequenceRigOptions {
  readonly sequence: SequenceBatching
  readonly config?: ModelConfig
  readonly count?: number
  readonly paused?: boolean
  readonly hearsCancel?: boolean
  readonly initialStates?: ReadonlyMap<string, Tensor>
  readonly compute?: (batch: Batch, instance: number) => BatchResult | ServerError
}

const pair = { int32_false_true: [0, 1] }

/** All four controls as INT32 but the id, which is UINT64. */
export const CONTROLS: NonNullable<SequenceBatching['control_input']> = [
  { name: 'START', control: [{ kind: 'CONTROL_SEQUENCE_START', ...pair }] },
  { name: 'END', control: [{ kind: 'CONTROL_SEQUENCE_END', ...pair }] },
  { name: 'READY', control: [{ kind: 'CONTROL_SEQUENCE_READY', ...pair }] },
  { name: 'CORRID', control: [{ kind: 'CONTROL_SEQUENCE_CORRID', data_type: 'TYPE_UINT64' }] },
]

/** Shows its controls: every input comes back, `INPUT0` as `OUTPUT0`. */
export const SHOWING: ModelConfig = {
  name: 'm',
  max_batch_size: 4,
  input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [1] }],
  output: ['OUTPUT0', 'START', 'END', 'READY', 'CORRID'].map((name) => ({
    name,
    data_type: name === 'CORRID' ? 'TYPE_UINT64' : 'TYPE_INT32',
    dims: [1],
  })),
}

export function createSequenceRig(options: SequenceRigOptions): SequenceRig {
  const clock = createFakeClock()
  const stats = new ModelStats()
  const warnings: string[] = []
  const log = {
    error: (message: string) => void warnings.push(`error ${message}`),
    warning: (message: string) => void warnings.push(message),
    info() {},
    verbose() {},
  }
  const instances = Array.from({ length: options.count ?? 1 }, (_, index) =>
    createFakeInstance({
      clock,
      paused: options.paused ?? false,
      hearsCancel: options.hearsCancel ?? false,
      compute: (batch) => options.compute?.(batch, index) ?? identity(batch),
    }),
  )
  const scheduler = createScheduler({
    config: {
      ...SHOWING,
      ...options.config,
      sequence_batching: { max_sequence_idle_microseconds: 1000, ...options.sequence },
    },
    instances,
    stats,
    clock,
    log,
    modelName: 'm',
    version: 1,
    ...(options.initialStates && { initialStates: options.initialStates }),
  })
  const step: SequenceRig['step'] = (id, flags, value = 0, more = {}) => {
    const answers: (InferResponse | ServerError | null)[] = []
    const { rows = 1, ...rest } = more
    const batches = (options.config?.max_batch_size ?? 4) > 0
    const request = new InferRequest(
      {
        id: `${String(id)}:${value}`,
        inputs: [int32('INPUT0', batches ? [rows, 1] : [1], new Array<number>(rows).fill(value))],
        sequenceId: id,
        sequenceStart: flags.includes('s'),
        sequenceEnd: flags.includes('e'),
        ...rest,
      },
      { answer: (_request, answer) => void answers.push(answer) },
    )
    request.batchSize = rows
    scheduler.submit(request)
    return new SentStep(request, answers)
  }
  return {
    clock,
    stats,
    scheduler,
    instances,
    warnings,
    step,
    run(...args) {
      const sent = step(...args)
      clock.settle()
      return sent
    },
  }
}

class SentStep implements Step {
  readonly request: InferRequest
  readonly answers: (InferResponse | ServerError | null)[]

  constructor(request: InferRequest, answers: (InferResponse | ServerError | null)[]) {
    this.request = request
    this.answers = answers
  }

  get error(): string {
    const [answer] = this.answers
    return answer instanceof ServerError ? `${answer.code} ${answer.message}` : ''
  }

  output(name: string): Tensor {
    const [answer] = this.answers
    if (this.answers.length !== 1) throw new Error(`${this.answers.length} answers`)
    if (answer instanceof ServerError) throw answer
    const output = answer?.outputs.find((tensor) => tensor.name === name)
    if (output === undefined) throw new Error(`no output ${name}`)
    return output
  }

  numbers(name: string): readonly number[] {
    return [...new Int32Array(this.output(name).data.slice().buffer)]
  }
}

/** Input `name` of every row as INT32 numbers. */
export function column(batch: Batch, name: string): readonly number[] {
  const index = batch.requests[0]!.inputs.findIndex((tensor) => tensor.name === name)
  return [...new Int32Array(joinInput(batch, index).data.slice().buffer)]
}
