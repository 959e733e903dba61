import type { TraceCollector } from '../../core/trace/types.ts'

/** Sends traces to a collector. */
export interface TraceExporter extends TraceCollector {
  /** Spans that found no room or no collector. */
  readonly lost: number
  /** Sends what there is, for as long as `timeoutMs`. Idempotent. */
  close(timeoutMs: number): Promise<void>
}

/** `--trace-config opentelemetry,…`. */
export interface ExporterOptions {
  /** Of an OTLP/HTTP receiver. */
  readonly url: string
  /** Attributes of the resource. */
  readonly resource: Readonly<Record<string, string>>
  /** Spans that wait to be sent; more are dropped. */
  readonly maxQueueSize: number
  readonly scheduleDelayMs: number
  readonly maxBatchSize: number
  /** How long one delivery may take, with what is tried again of it. Default 10 s. */
  readonly timeoutMs?: number
}
