import { type BenchModel, BIG, MINILM, RESNET, TINY } from './models.ts'

/** Who is measured: the floor, this server, the real Triton, ONNX Runtime in a bare loop. */
export type Contender = 'floor' | 'nereid' | 'triton' | 'bare'

/** One line of the table. */
export interface BenchCase {
  readonly name: string
  readonly base: BenchModel
  /** The model that the servers serve. */
  readonly model: string
  readonly connections: number
  /** What 1.00 is. */
  readonly reference: 'floor' | 'bare'
  /** Runs of the bare loop at the same time. */
  readonly parallel: number
  /** This server's least share of the reference; 0 = told, not judged. */
  readonly target: number
}

function light(
  name: string,
  base: BenchModel,
  suffix: string,
  connections: number,
  target: number,
): BenchCase {
  const model = base.base + suffix
  return { name, base, model, connections, reference: 'floor', parallel: 1, target }
}

function heavy(base: BenchModel, instances: 1 | 2, target: number): BenchCase {
  return {
    name: `${base.base}, ${instances} instance${instances === 1 ? '' : 's'}`,
    base,
    model: instances === 1 ? base.base : `${base.base}_i2`,
    // One more than can run, so that an instance never waits for a client.
    connections: 2 * instances,
    reference: 'bare',
    parallel: instances,
    target,
  }
}

/** What has to be reached, and where it was measured. */
export const BENCH_CASES: readonly BenchCase[] = [
  light('tiny', TINY, '', 1, 0.88),
  light('tiny', TINY, '', 16, 0.85),
  light('tiny', TINY, '', 64, 0.85),
  light('tiny, dynamic_batching', TINY, '_dyn', 1, 0),
  light('tiny, dynamic_batching', TINY, '_dyn', 16, 1.1),
  light('tiny, dynamic_batching', TINY, '_dyn', 64, 1.1),
  light('600 KB', BIG, '', 1, 0.9),
  light('600 KB', BIG, '', 16, 0.9),
  heavy(RESNET, 1, 0.97),
  heavy(RESNET, 2, 0.95),
  heavy(MINILM, 1, 0.97),
  heavy(MINILM, 2, 0.95),
]

/** `max_queue_delay_microseconds: 1000` with this many clients … */
export const WINDOW_CLIENTS = 16
/** … makes batches of at least this mean size. */
export const WINDOW_BATCH = 15
/** Start of the process to its first answer, seconds, and resident memory when idle, MB, with one small model. */
export const START_SECONDS = 0.25
export const IDLE_MB = 110
