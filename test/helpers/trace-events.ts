import { traceJson } from '../../core/trace/trace-json.ts'
import type { FinishedTrace } from '../../core/trace/types.ts'

interface TraceObject {
  readonly id: number
  readonly timestamps?: readonly { readonly name: string; readonly ns: number }[]
  readonly activity?: string
  readonly tensor?: { readonly name: string; readonly data: string; readonly shape: string }
  readonly model_name?: string
  readonly parent_id?: number
  readonly request_id?: string
}

/** The objects that Triton's file has for a trace. */
export function traceObjects(trace: FinishedTrace | undefined): TraceObject[] {
  return trace === undefined ? [] : JSON.parse(`[${traceJson(trace)}]`)
}

/** Names of the timestamps in the order in which they happened. */
export function timeline(trace: FinishedTrace | undefined, id = trace?.id): string[] {
  return traceObjects(trace)
    .filter((one) => one.id === id)
    .flatMap((one) => one.timestamps ?? [])
    .map((stamp, index) => ({ ...stamp, index }))
    .sort((a, b) => a.ns - b.ns || a.index - b.index)
    .map(({ name }) => name)
}
