import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'
import { messageOf } from '../../core/errors.ts'
import type { Clock, Log } from '../../core/platform.ts'
import type { ExporterOptions, TraceExporter } from './exporter.ts'
import { spanCount, spanWriter } from './spans.ts'

type ExportDone = Parameters<SpanExporter['export']>[1]

const DEFAULT_TIMEOUT_MS = 10_000

/** Loads OpenTelemetry's packages and sends traces with them. */
export async function otlpExporter(
  options: ExporterOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<TraceExporter> {
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const timeoutMillis = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const watched = new WatchedExporter(
    new OTLPTraceExporter({ url: options.url, timeoutMillis }),
    options.url,
    log,
  )
  const provider = new sdk.BasicTracerProvider({
    sampler: new sdk.AlwaysOnSampler(),
    resource: resourceFromAttributes({
      'service.name': 'triton-inference-server',
      ...options.resource,
    }),
    spanProcessors: [
      new sdk.BatchSpanProcessor(watched, {
        maxQueueSize: options.maxQueueSize,
        scheduledDelayMillis: options.scheduleDelayMs,
        maxExportBatchSize: Math.min(options.maxBatchSize, options.maxQueueSize),
        exportTimeoutMillis: 3 * timeoutMillis,
      }),
    ],
  })
  const write = spanWriter(api, provider.getTracer('triton-server'), clock)
  let closing: Promise<void> | undefined
  return {
    get lost() {
      return watched.lost
    },
    collect(trace) {
      // The package would drop them as well, and tell nobody.
      if (watched.admit(spanCount(trace), options.maxQueueSize)) write(trace)
    },
    retire: () => undefined,
    close(timeoutMs) {
      closing ??= shutDown(provider.shutdown(), clock, timeoutMs)
      return closing
    },
  }
}

async function shutDown(done: Promise<void>, clock: Clock, timeoutMs: number): Promise<void> {
  let cancel = (): void => {}
  const timeUp = new Promise<void>((resolve) => {
    cancel = clock.after(timeoutMs * 1e6, resolve)
  })
  // A collector that is gone was spoken of before.
  await Promise.race([done.catch(() => undefined), timeUp])
  cancel()
}

/** Says once that the collector is gone, and once that it is back. */
class WatchedExporter implements SpanExporter {
  lost = 0
  /** Spans that were made and neither delivered nor refused yet. */
  #waiting = 0
  readonly #exporter: SpanExporter
  readonly #url: string
  readonly #log: Log
  #failing = false

  constructor(exporter: SpanExporter, url: string, log: Log) {
    this.#exporter = exporter
    this.#url = url
    this.#log = log
  }

  export(spans: ReadableSpan[], done: ExportDone): void {
    this.#exporter.export(spans, (result) => {
      this.#waiting -= spans.length
      // 0 = delivered.
      if (result.code === 0) this.#delivered()
      else this.#refused(spans.length, result.error)
      done(result)
    })
  }

  /** Whether there is room for so many more; what is not let in is lost. */
  admit(spans: number, room: number): boolean {
    const fits = this.#waiting + spans <= room
    if (fits) this.#waiting += spans
    else this.lost += spans
    return fits
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve()
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }

  #delivered(): void {
    if (this.#failing) {
      this.#log.info(`traces reach ${this.#url} again; ${this.lost} spans were lost so far`)
    }
    this.#failing = false
  }

  #refused(spans: number, error: Error | undefined): void {
    this.lost += spans
    if (!this.#failing) {
      this.#log.error(`traces do not reach ${this.#url}: ${messageOf(error ?? 'no reason given')}`)
    }
    this.#failing = true
  }
}
