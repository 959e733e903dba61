import { traceJson } from './trace-json.ts'
import type { FinishedTrace, TraceCollector, TraceValues } from './types.ts'

/** Where Triton's JSON goes. Takes it at once and writes it when it can. */
export interface TraceFile {
  /** Adds objects, separated by commas, to the one array of `<file>`. */
  append(objects: string): void
  /** Makes `<file>.<index>`, the next in order, of all the objects there are. */
  index(objects: readonly string[]): void
  /** Traces that found no room. */
  dropped(count: number): void
}

/** Characters that traces of one setting take while they wait for their indexed file; beyond it the oldest go. */
export const MAX_WAITING_CHARS: number = 64 * 1024 * 1024

/**
 * Puts traces into Triton's files: into one after another as the log frequency says, or, when a certain count of them was
 * asked for, all of those into one. Without either they are added to a single file as they come.
 */
export function fileCollector(
  file: TraceFile,
  { logFrequency, count }: Pick<TraceValues, 'logFrequency' | 'count'>,
): TraceCollector {
  let waiting: string[] = []
  let chars = 0
  let collected = 0

  const flush = (indexed: boolean): void => {
    if (waiting.length === 0) return
    if (indexed) file.index(waiting)
    else file.append(waiting.join(','))
    waiting = []
    chars = 0
  }
  const trim = (): void => {
    let gone = 0
    while (chars > MAX_WAITING_CHARS && gone < waiting.length) {
      chars -= (waiting[gone++] as string).length
    }
    if (gone === 0) return
    waiting.splice(0, gone)
    file.dropped(gone)
  }
  return {
    collect(trace: FinishedTrace) {
      const json = traceJson(trace)
      collected++
      if (logFrequency === 0 && count < 0) {
        file.append(json)
        return
      }
      waiting.push(json)
      chars += json.length
      trim()
      const full = logFrequency > 0 && waiting.length >= logFrequency
      if (full || (count > 0 && collected === count)) flush(true)
    },
    retire: () => flush(logFrequency > 0),
  }
}
