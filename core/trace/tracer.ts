import type { RequestTrace } from '../infer.ts'
import type { Clock } from '../platform.ts'
import { TENSORS } from './level.ts'
import { MAX_TENSOR_CHARS, ModelRequestTrace, type TraceGroup } from './request-trace.ts'
import type { TraceSetting } from './setting.ts'
import { TraceSettings } from './settings.ts'
import { parseTraceParent } from './traceparent.ts'
import type {
  ModelTrace,
  Trace,
  TraceChange,
  TraceCollector,
  TraceFacts,
  TraceMark,
  TraceParent,
  Tracer,
  TraceValues,
} from './types.ts'

/** `trace_rate` where none is given. */
export const DEFAULT_TRACE_RATE = 1000

export interface TracerOptions {
  readonly clock: Clock
  /** What the server is started with; may be contradictory, then nothing is traced. */
  readonly start: TraceValues
  readonly facts: TraceFacts
  /** Where traces go that are sampled under `values`. */
  readonly collector: (values: TraceValues) => TraceCollector
}

/** Samples requests and collects what becomes of them. */
export function createTracer(options: TracerOptions): Tracer {
  const { clock, facts } = options
  const settings = new TraceSettings(options.start, facts, options.collector)
  const forces = facts.mode === 'opentelemetry'
  let active = settings.active(forces)
  let lastId = 0
  let closed = false
  const nextId = (): number => ++lastId

  return {
    get active() {
      return active
    },
    facts,
    now: () => clock.now(),
    sample(model, header) {
      const setting = settings.of(model)
      const parent = forces ? parseTraceParent(header('traceparent'), header('tracestate')) : null
      if (!setting.sample(parent !== null)) return null
      active = settings.active(forces)
      return new SampledTrace(setting, parent, clock, nextId, forces)
    },
    settings: (model) => settings.of(model).values,
    update(model: string, change: TraceChange) {
      settings.update(model, change)
      active = !closed && settings.active(forces)
    },
    close() {
      if (closed) return
      closed = true
      active = false
      settings.close()
    },
  }
}

/** Marks of one front end that are kept. */
const MAX_MARKS = 64
/** Requests of one trace that are kept: what an ensemble or a model makes of one request may have no end. */
export const MAX_MODELS = 1024

class SampledTrace implements Trace, TraceGroup {
  readonly id: number
  readonly level: number
  readonly request: RequestTrace
  readonly parent: TraceParent | null
  readonly marks: TraceMark[] = []
  readonly models: ModelTrace[] = []
  readonly startNs: number
  readonly nextId: () => number
  room: number = MAX_TENSOR_CHARS
  readonly #clock: Clock
  readonly #setting: TraceSetting
  #closed = false
  #open = 0
  #over = false

  constructor(
    setting: TraceSetting,
    parent: TraceParent | null,
    clock: Clock,
    nextId: () => number,
    withoutTensors: boolean,
  ) {
    this.#setting = setting
    this.#clock = clock
    this.parent = parent
    this.nextId = nextId
    this.level = withoutTensors ? setting.level & ~TENSORS : setting.level
    this.startNs = clock.now()
    const request = new ModelRequestTrace(this, 0)
    this.id = request.id
    this.request = request
  }

  now(): number {
    return this.#clock.now()
  }

  mark(name: string, ns: number): void {
    if (!this.#closed && this.marks.length < MAX_MARKS) this.marks.push({ name, ns })
  }

  close(): void {
    this.#closed = true
    this.#settle()
  }

  begun(trace: ModelTrace): void {
    this.#open++
    if (this.models.length < MAX_MODELS) this.models.push(trace)
  }

  ended(): void {
    this.#open--
    this.#settle()
  }

  #settle(): void {
    if (!this.#closed || this.#open > 0 || this.#over) return
    this.#over = true
    const { id, level, parent, marks, models } = this
    // What never came to a model is no trace.
    if (models.length === 0) {
      this.#setting.finish(null)
      return
    }
    const startNs = Math.min(this.startNs, marks[0]?.ns ?? this.startNs)
    const endNs = this.#clock.now()
    this.#setting.finish({ id, level, parent, marks, models, startNs, endNs })
  }
}
