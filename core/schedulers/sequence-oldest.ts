import type { ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { createBatchWindow } from './batch-window.ts'
import { createSchedulerParts } from './parts.ts'
import type { Sequence } from './sequence.ts'
import type { SequenceLaneOptions } from './sequence-lane.ts'
import type { SequenceLane, SequenceSlot } from './sequence-slots.ts'

/**
 * The oldest strategy: the first requests of the candidate sequences go through a dynamic batcher of the instance's own,
 * one of each sequence at a time, so that a sequence's steps stay in order.
 */
export function createOldestLane(options: SequenceLaneOptions): SequenceLane {
  const { parts, desk, steps } = options
  const slots: SequenceSlot[] = []

  const submit = (sequence: Sequence): void => {
    const request = desk.take(sequence)
    const before = request.onSettled
    request.onSettled = (settled, answer) => {
      before?.(settled, answer)
      const cancelled = answer instanceof ServerError && answer.code === 'CANCELLED'
      if (cancelled) desk.broken(sequence)
      finish(sequence)
    }
    window.submit(request)
  }
  const finish = (sequence: Sequence): void => {
    const { slot } = sequence
    desk.done(sequence)
    // The slot may have another sequence now.
    if (slot !== null) wake(slot)
  }
  const wake = ({ sequence }: SequenceSlot): void => {
    if (sequence !== null && sequence.running === null && sequence.size > 0) submit(sequence)
  }
  const again = (sequence: Sequence): void => {
    parts.clock.nextTurn(() => finish(sequence))
  }
  const window = createBatchWindow(
    createSchedulerParts({
      ...parts,
      config: batcherConfig(parts.config),
      instances: [steps.wrap(options.instance, again)],
      delayUntilQueued: 0,
    }),
  )
  return {
    slots,
    get queued() {
      return window.pending
    },
    // Its window answers what it has before it closes.
    idle: true,
    wake,
    ring() {},
    close: () => window.close(),
  }
}

/** The model as its dynamic batcher sees it: states are inputs like others, whose shapes must agree. */
function batcherConfig(config: ModelConfig): ModelConfig {
  const { oldest, state } = config.sequence_batching ?? {}
  const states = (state ?? []).map(({ input_name = '', data_type, dims = [] }) => ({
    name: input_name,
    dims,
    ...(data_type === undefined ? {} : { data_type }),
  }))
  return {
    ...config,
    input: [...(config.input ?? []), ...states],
    dynamic_batching: {
      preferred_batch_size: oldest?.preferred_batch_size ?? [],
      max_queue_delay_microseconds: oldest?.max_queue_delay_microseconds ?? 0,
      preserve_ordering: oldest?.preserve_ordering ?? false,
    },
  }
}
