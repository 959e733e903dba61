import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Batch, BatchResult } from '../../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../../core/bytes.ts'
import type { SequenceBatching } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { joinInput } from '../../helpers/fake-backend.ts'
import { US } from './rig.ts'
import { CONTROLS, column, createSequenceRig, type SequenceRig, type Step } from './sequence-rig.ts'

const SEED = 20_260_411
const RUNS = 150
const SEQUENCES = 64

/**
 * A model that keeps its sequences' inputs itself and answers with its own number and all it has seen of the sequence: by
 * row, as the direct strategy promises, or by id.
 */
class HistoryModel {
  readonly #histories = new Map<number | bigint, number[]>()
  readonly #byRow: boolean
  readonly #number: number

  /** The next batch is computed, and then fails all the same. */
  failing = false
  /** Every value that reached the model. */
  readonly seen: Set<number> = new Set()

  constructor(number: number, byRow: boolean) {
    this.#number = number
    this.#byRow = byRow
  }

  compute(batch: Batch): BatchResult | ServerError {
    const values = column(batch, 'INPUT0')
    const [starts, ready] = [column(batch, 'START'), column(batch, 'READY')]
    const idIndex = batch.requests[0]!.inputs.findIndex(({ name }) => name === 'CORRID')
    const ids = new BigUint64Array(joinInput(batch, idIndex).data.slice().buffer)
    const texts = values.map((value, row) => {
      if (ready[row] === 0) return 'null request'
      const key = this.#byRow ? row : (ids[row] as bigint)
      const history = starts[row] === 1 ? [] : (this.#histories.get(key) ?? [-1])
      history.push(value)
      this.seen.add(value)
      this.#histories.set(key, history)
      return `${this.#number} ${history.join()}`
    })
    if (this.failing) {
      this.failing = false
      return new ServerError('INTERNAL', 'planned')
    }
    const data = packBytes(texts.map((text) => new TextEncoder().encode(text)))
    return {
      outputs: [{ name: 'HISTORY', datatype: 'BYTES', shape: [batch.size, 1], data }],
    }
  }
}

/** One life of an id, from a START to whatever comes next. */
interface Life {
  readonly sent: { readonly value: number; readonly step: Step }[]
  over: boolean
}

type Action =
  | {
      readonly do: 'step'
      readonly id: number
      readonly length: number
      readonly timeoutUs: number
      readonly restarts: boolean
    }
  | { readonly do: 'leave'; readonly which: number }
  | { readonly do: 'finish'; readonly instance: number; readonly fails: boolean }
  | { readonly do: 'turn' }
  | { readonly do: 'advance'; readonly us: number }

const rarely = (times: number) => fc.integer({ min: 1, max: times }).map((n) => n === 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      id: fc.integer({ min: 1, max: SEQUENCES }),
      length: fc.integer({ min: 1, max: 12 }),
      timeoutUs: fc.constantFrom(0, 0, 0, 300),
      restarts: rarely(20),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(2000) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      instance: fc.nat(2),
      fails: rarely(15),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'turn' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      us: fc.integer({ min: 1, max: 400 }),
    }),
  },
)
const direct: fc.Arbitrary<SequenceBatching> = fc.record({
  direct: fc.constantFrom(
    {},
    { max_queue_delay_microseconds: 100, minimum_slot_utilization: 0.75 },
  ),
})
const oldest: fc.Arbitrary<SequenceBatching> = fc.record({
  oldest: fc.record({
    max_candidate_sequences: fc.constantFrom(2, 6),
    preferred_batch_size: fc.constantFrom([], [2], [3, 4]),
    max_queue_delay_microseconds: fc.constantFrom(0, 100),
    preserve_ordering: fc.boolean(),
  }),
})

class Clients {
  readonly lives: Life[] = []
  readonly steps: Step[] = []
  readonly #current = new Map<number, Life>()
  readonly #rig: SequenceRig
  readonly #models: readonly HistoryModel[]
  readonly #byId: boolean
  #value = 0

  constructor(rig: SequenceRig, models: readonly HistoryModel[], byId: boolean) {
    this.#rig = rig
    this.#models = models
    this.#byId = byId
  }

  perform(at: Action): void {
    if (at.do === 'step') this.#step(at)
    else if (at.do === 'leave') {
      this.steps[at.which % Math.max(1, this.steps.length)]?.request.cancel()
    } else if (at.do === 'advance') this.#rig.clock.advance(at.us * US)
    else if (at.do === 'turn') this.#rig.clock.turn()
    else {
      const number = at.instance % this.#models.length
      const instance = this.#rig.instances[number]
      if (instance?.running !== true) return
      if (at.fails) (this.#models[number] as HistoryModel).failing = true
      instance.finish()
    }
  }

  #step({ id, length, timeoutUs, restarts }: Extract<Action, { do: 'step' }>): void {
    let life = this.#current.get(id)
    const unanswered = life?.sent.some(({ step }) => step.answers.length === 0) === true
    const lost = life?.sent.some(({ step }) => step.error !== '' && step.error !== FAILED) ?? true
    // A model that goes by the id cannot tell a sequence from one under the same id that is still being finished.
    if (this.#byId && unanswered && (lost || life?.over === true)) return
    const starts = life === undefined || life.over || lost || restarts
    if (life === undefined || starts) {
      life = { sent: [], over: false }
      this.lives.push(life)
      this.#current.set(id, life)
    }
    const ends = life.sent.length + 1 >= length
    const value = ++this.#value
    const flags = `${starts ? 's' : ''}${ends ? 'e' : ''}`
    const step = this.#rig.step(BigInt(id), flags, value, { timeoutUs })
    life.sent.push({ value, step })
    life.over = ends
    this.steps.push(step)
  }
}

const FAILED = 'INTERNAL planned'

async function drain(rig: SequenceRig): Promise<void> {
  let closed = false
  const closing = rig.scheduler.close().then(() => {
    closed = true
  })
  for (let i = 0; i < 20_000 && !closed; i++) {
    rig.clock.advance(200 * US)
    for (const instance of rig.instances) if (instance.running) instance.finish()
    await Promise.resolve()
  }
  await closing
  expect(rig.clock.timers).toBe(0)
  expect(rig.scheduler.pending).toBe(0)
}

/** Every answer shows the life's own steps, all of them in order up to this one, on one instance. */
function expectOwnHistory({ sent }: Life, seen: ReadonlySet<number>): void {
  const instances = new Set<string>()
  const ran: number[] = []
  for (const { value, step } of sent) {
    expect(step.answers).toHaveLength(1)
    if (seen.has(value)) ran.push(value)
    if (step.error !== '') continue
    const [text] = unpackBytes(step.output('HISTORY').data)
    const [instance = '', history] = new TextDecoder().decode(text).split(' ')
    instances.add(instance)
    expect(history).toBe(ran.join())
  }
  expect(instances.size).toBeLessThanOrEqual(1)
}

/** Whatever is lost is lost at the end: no step reaches the model after one before it was dropped. */
function expectNoHoles({ sent }: Life, seen: ReadonlySet<number>): void {
  const dropped = sent.findIndex(({ value }) => !seen.has(value))
  if (dropped < 0) return
  for (const { value } of sent.slice(dropped)) expect(seen.has(value)).toBe(false)
}

function expectCounts({ stats }: SequenceRig, steps: readonly Step[]): void {
  const unknown = steps.filter(({ error }) => error.includes('must specify the START flag')).length
  const failed = steps.filter(({ error }) => error !== '').length
  expect(stats.success.count).toBe(steps.length - failed)
  expect(stats.fail.count).toBe(failed - unknown)
  expect(stats.inferenceCount).toBe(stats.success.count)
}

test.each([
  ['direct', direct],
  ['oldest', oldest],
] as const)(
  `${SEQUENCES} sequences of random lengths with clients that leave never mix and never move: %s (seed ${SEED})`,
  async (strategy, batching) => {
    let [answered, backlogged] = [0, 0]
    await fc.assert(
      fc.asyncProperty(
        batching,
        fc.integer({ min: 1, max: 3 }),
        fc.array(action, { minLength: 50, maxLength: 600 }),
        async (sequence, count, actions) => {
          const models = Array.from(
            { length: count },
            (_, number) => new HistoryModel(number, strategy === 'direct'),
          )
          const rig = createSequenceRig({
            sequence: { ...sequence, max_sequence_idle_microseconds: 800, control_input: CONTROLS },
            config: { output: [{ name: 'HISTORY', data_type: 'TYPE_STRING', dims: [1] }] },
            count,
            paused: true,
            compute: (batch, instance) => (models[instance] as HistoryModel).compute(batch),
          })
          const clients = new Clients(rig, models, strategy === 'oldest')
          for (const at of actions) clients.perform(at)
          await drain(rig)
          const seen = new Set(models.flatMap((model) => [...model.seen]))
          for (const life of clients.lives) {
            expectOwnHistory(life, seen)
            expectNoHoles(life, seen)
          }
          expectCounts(rig, clients.steps)
          answered += rig.stats.success.count
          backlogged += clients.steps.filter(({ error }) => error.includes('expired')).length
        },
      ),
      { seed: SEED, numRuns: RUNS },
    )
    // The runs must have been worth it.
    expect(answered).toBeGreaterThan(RUNS * 20)
    expect(backlogged).toBeGreaterThan(0)
  },
  60_000,
)
