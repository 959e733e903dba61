import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { fileCollector } from '../../core/trace/file-collector.ts'
import { createTracer } from '../../core/trace/tracer.ts'
import type { TraceCollector, TraceFacts, Tracer, TraceValues } from '../../core/trace/types.ts'
import type { ExporterOptions } from './exporter.ts'
import { traceFile } from './file.ts'
import { diskTraceStore } from './file-store.ts'
import { traceMetrics } from './metrics.ts'

/** How long a close waits for the collector. */
const CLOSE_MS = 2000

export interface TraceOptions extends TraceValues, TraceFacts {
  /** To be used in mode `opentelemetry`. */
  readonly export: ExporterOptions
}

/** A server's tracing. */
export interface OpenTrace {
  readonly tracer: Tracer
  families(): readonly FamilySamples[]
  /** Writes or sends what there is; to be called when no request is in flight any more. Idempotent. */
  close(): Promise<void>
}

/** What finished traces are given to. */
interface Destination {
  collector(values: TraceValues): TraceCollector
  readonly lost: number
  close(): Promise<void>
}

/** Tracing as its options say. OpenTelemetry's packages are loaded in their mode only; rejects where they are missing. */
export async function openTrace(
  options: TraceOptions,
  platform: { readonly clock: Clock; readonly log: Log },
): Promise<OpenTrace> {
  const { level, rate, count, logFrequency, mode, file, options: shown } = options
  const destination =
    mode === 'triton' ? toFile(file, platform) : await toCollector(options.export, platform)
  const tracer = createTracer({
    clock: platform.clock,
    start: { level, rate, count, logFrequency },
    facts: { mode, file: mode === 'triton' ? file : '', options: shown },
    collector: (values) => destination.collector(values),
  })
  return {
    tracer,
    families: () => traceMetrics(mode, destination.lost),
    close: () => {
      tracer.close()
      return destination.close()
    },
  }
}

function toFile(path: string, { clock, log }: { clock: Clock; log: Log }): Destination {
  const file = traceFile({ path, store: diskTraceStore(path), clock, log })
  return {
    collector: (values) => fileCollector(file, values),
    get lost() {
      return file.lost
    },
    close: () => file.close(),
  }
}

async function toCollector(
  options: ExporterOptions,
  platform: { clock: Clock; log: Log },
): Promise<Destination> {
  const { otlpExporter } = await import('./otlp.ts')
  const exporter = await otlpExporter(options, platform)
  return {
    collector: () => exporter,
    get lost() {
      return exporter.lost
    },
    close: () => exporter.close(CLOSE_MS),
  }
}
